//! Generates the API from `proto/`, without `protoc`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use prost_types::FileDescriptorSet;
use protox::prost_reflect::{DescriptorPool, MethodDescriptor};

/// How messages are read and written.
const CODEC: &str = "crate::codec::SliceCodec";

/// The method option that names what a caller must be granted.
const SCOPE: &str = "auric.auth.v1.scope";

fn main() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    find_protos(&root, &mut files)?;
    files.sort();

    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_imports(true).include_source_info(true).open_files(&files)?;
    #[expect(clippy::disallowed_methods, reason = "cargo tells a build script where to write through the environment")]
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    // Encoded by the compiler itself: a decoded set would have lost our own options.
    std::fs::write(out.join("descriptors.binpb"), compiler.encode_file_descriptor_set())?;
    std::fs::write(out.join("scopes.rs"), scopes(&compiler.descriptor_pool())?)?;
    let descriptors = compiler.file_descriptor_set();
    encoded_collection(descriptors.clone(), &out)?;
    tonic_prost_build::configure().codec_path(CODEC).compile_fds(descriptors)?;
    Ok(())
}

/// Generates the collection's server once more, with pages of esprits that are encoded already.
fn encoded_collection(mut descriptors: FileDescriptorSet, out: &Path) -> anyhow::Result<()> {
    let package = "auric.collection.v1";
    descriptors.file.retain(|file| file.package() == package);
    let out = out.join("encoded");
    std::fs::create_dir_all(&out)?;
    tonic_prost_build::configure()
        .build_client(false)
        .codec_path(CODEC)
        .extern_path(format!(".{package}"), "crate::collection::v1")
        .extern_path(format!(".{package}.ListEspritsResponse"), "crate::collection::v1::encoded::ListEspritsResponse")
        .out_dir(out)
        .compile_fds(descriptors)?;
    Ok(())
}

/// Writes the table of every RPC with its scope; an RPC without one does not build.
fn scopes(pool: &DescriptorPool) -> anyhow::Result<String> {
    let option = pool.get_extension_by_name(SCOPE).with_context(|| format!("no proto file declares {SCOPE}"))?;
    let mut methods: Vec<MethodDescriptor> =
        pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()).collect();
    methods.sort_by(|one, other| one.full_name().cmp(other.full_name()));
    let mut table = String::from("&[\n");
    for method in methods {
        let options = method.options();
        let scope = options.get_extension(&option);
        let scope = scope.as_str().filter(|scope| !scope.is_empty());
        let scope =
            scope.with_context(|| format!("{} has no scope: give it `option ({SCOPE})`", method.full_name()))?;
        let (service, name) = (method.parent_service().full_name().to_owned(), method.name().to_owned());
        writeln!(table, "    (\"/{service}/{name}\", \"{scope}\"),")?;
    }
    table.push(']');
    Ok(table)
}

fn find_protos(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for item in std::fs::read_dir(folder)? {
        let path = item?.path();
        if path.is_dir() {
            find_protos(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            found.push(path);
        }
    }
    Ok(())
}
