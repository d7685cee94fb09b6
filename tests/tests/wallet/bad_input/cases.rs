//! The cases of each type, and where in a request they are put.

use std::collections::HashMap;

use prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage as _, Value};

use super::rules::Rule;

/// What is done to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A list without an element, or a message that is not there.
    Missing,
    /// A text, a name of a pair, or a message without content.
    Empty,
    /// A text of 10,000 characters.
    Long,
    /// One character more than there may be.
    TooLong,
    Nul,
    Control,
    Newline,
    Space,
    NonAscii,
    /// A `$`.
    Sign,
    Upper,
    /// Well formed, and known to nobody; an enum's number that has no name.
    Unknown,
    Unspecified,
    Negative,
    Zero,
    Min,
    Max,
    /// 2^53, or a moment more than may be.
    AboveMax,
    /// One element more than there may be.
    TooMany,
    /// 10,001 elements, or 2^63 - 1 seconds.
    Huge,
    /// 10^13 seconds: as microseconds they are no `i64` any more.
    Large,
}

/// A field of a request, however deep.
#[derive(Clone, Debug)]
pub struct Place {
    /// The message's name and the field's.
    pub name: String,
    /// As an answer names it.
    pub path: String,
    steps: Vec<FieldDescriptor>,
}

/// A value for a field.
#[derive(Clone, Debug)]
pub struct Case {
    pub fault: Fault,
    value: Option<Value>,
}

/// Longer than every text may be.
const LONG: usize = 10_000;

/// More than any list may have.
const HUGE: usize = 10_001;

/// Every field of `request` and of the messages in it. The first element stands for all of a list.
pub fn places(request: &DynamicMessage) -> Vec<Place> {
    let mut found = Vec::new();
    walk(&request.descriptor(), &[], "", &mut found);
    found
}

fn walk(message: &MessageDescriptor, above: &[FieldDescriptor], prefix: &str, found: &mut Vec<Place>) {
    for field in message.fields() {
        let path = format!("{prefix}{}", field.name());
        let steps = [above, std::slice::from_ref(&field)].concat();
        found.push(Place {
            name: format!("{}.{}", message.name(), field.name()),
            path: path.clone(),
            steps: steps.clone(),
        });
        if let Kind::Message(inner) = field.kind()
            && !field.is_map()
            && inner.package_name() != "google.protobuf"
        {
            let index = if field.is_list() { "[0]" } else { "" };
            walk(&inner, &steps, &format!("{path}{index}."), found);
        }
    }
}

/// The cases of a place.
pub fn of(place: &Place, rule: Rule) -> Vec<Case> {
    let field = place.steps.last().expect("a place is a field");
    if field.is_map() {
        return pairs(rule.most);
    }
    let one = |case: Case| {
        if field.is_list() { Case { value: case.value.map(|value| Value::List(vec![value])), ..case } } else { case }
    };
    let mut cases: Vec<Case> = match field.kind() {
        Kind::String => texts(rule.most, field),
        Kind::Int64 => numbers(i64::MIN, i64::MAX).into_iter().chain([(Fault::AboveMax, 1 << 53)]).map(int64).collect(),
        Kind::Int32 => numbers(i32::MIN, i32::MAX).map(|(fault, number)| case(fault, Value::I32(number))).into(),
        Kind::Enum(_) => [(Fault::Unspecified, 0), (Fault::Unknown, 99), (Fault::Negative, -1)]
            .map(|(fault, number)| case(fault, Value::EnumNumber(number)))
            .into(),
        Kind::Bool => vec![case(Fault::Zero, Value::Bool(false)), case(Fault::Max, Value::Bool(true))],
        Kind::Message(message) if message.full_name() == "google.protobuf.Duration" => durations(&message),
        Kind::Message(message) => vec![case(Fault::Empty, Value::Message(DynamicMessage::new(message)))],
        kind => panic!("{} is of a type without cases: {kind:?}", place.name),
    };
    cases = cases.into_iter().map(one).collect();
    if field.is_list() {
        cases.extend([case(Fault::Missing, Value::List(Vec::new()))]);
        // The elements are those of the valid request, again and again.
        cases.extend([Fault::TooMany, Fault::Huge].map(|fault| Case { fault, value: None }));
        if let Kind::Message(_) = field.kind() {
            cases.retain(|case| case.fault != Fault::Empty);
        }
    } else if let Kind::Message(_) = field.kind() {
        cases.push(Case { fault: Fault::Missing, value: None });
    }
    cases
}

fn case(fault: Fault, value: Value) -> Case {
    Case { fault, value: Some(value) }
}

fn int64((fault, number): (Fault, i64)) -> Case {
    case(fault, Value::I64(number))
}

fn numbers<N: From<i8>>(min: N, max: N) -> [(Fault, N); 4] {
    [(Fault::Negative, N::from(-1)), (Fault::Zero, N::from(0)), (Fault::Min, min), (Fault::Max, max)]
}

fn texts(most: usize, field: &FieldDescriptor) -> Vec<Case> {
    let long = |length: usize| "a".repeat(length);
    let unknown = if field.name() == "catalog_hash" { "no_such_hash" } else { "no_such_thing" };
    let texts = [
        (Fault::Empty, String::new()),
        (Fault::Long, long(LONG)),
        (Fault::TooLong, long(most + 1)),
        (Fault::Nul, "a\0b".to_owned()),
        (Fault::Control, "a\u{1b}[31mb".to_owned()),
        (Fault::Newline, "a\nb".to_owned()),
        (Fault::Space, "a b".to_owned()),
        (Fault::NonAscii, "名é".to_owned()),
        (Fault::Sign, "a$b".to_owned()),
        (Fault::Upper, "ABC".to_owned()),
        (Fault::Unknown, unknown.to_owned()),
    ];
    texts.map(|(fault, text)| case(fault, Value::String(text))).into()
}

fn durations(message: &MessageDescriptor) -> Vec<Case> {
    let duration = |(fault, seconds, nanos): (Fault, i64, i32)| {
        let mut duration = DynamicMessage::new(message.clone());
        duration.set_field_by_name("seconds", Value::I64(seconds));
        duration.set_field_by_name("nanos", Value::I32(nanos));
        case(fault, Value::Message(duration))
    };
    let days_366 = 366 * 24 * 3_600;
    let all = [
        (Fault::Negative, -1, 0),
        (Fault::Zero, 0, 0),
        (Fault::AboveMax, days_366, 1_000),
        (Fault::Large, 10_000_000_000_000, 0),
        (Fault::Huge, i64::MAX, 999_999_999),
        // Fits into microseconds, and is before every time that a database knows.
        (Fault::Max, 1_000_000_000_000, 0),
        (Fault::Min, 0, i32::MIN),
    ];
    all.map(duration).into()
}

fn pairs(most: usize) -> Vec<Case> {
    let one = |fault, name: &str, value: &str| (fault, vec![(name.to_owned(), value.to_owned())]);
    let many = |fault, count: usize| (fault, (0..count).map(|n| (n.to_string(), String::new())).collect());
    let all = [
        one(Fault::Empty, "", "v"),
        one(Fault::TooLong, &"n".repeat(41), "v"),
        one(Fault::Long, "n", &"v".repeat(201)),
        one(Fault::Nul, "n", "a\0b"),
        one(Fault::Newline, "n\n", "v"),
        one(Fault::Control, "n", "a\u{1b}[31mb"),
        one(Fault::NonAscii, "名", "é"),
        one(Fault::Zero, "n", ""),
        many(Fault::TooMany, most + 1),
        many(Fault::Huge, HUGE),
        many(Fault::Missing, 0),
    ];
    let map = |(fault, pairs): (Fault, Vec<(String, String)>)| {
        let pairs: HashMap<MapKey, Value> =
            pairs.into_iter().map(|(name, value)| (MapKey::String(name), Value::String(value))).collect();
        case(fault, Value::Map(pairs))
    };
    all.map(map).into()
}

/// Puts the case in its place, and gives whether the request has it.
pub fn put(request: &mut DynamicMessage, place: &Place, case: &Case) -> bool {
    // A payment's event tells one thing: the one that is to be wrong.
    if request.descriptor().name() == "RecordPaymentRequest"
        && let Some(fact) = super::paid::fact_of(&place.path)
    {
        let key = request.get_field_by_name("idempotency_key").and_then(|key| key.as_str().map(str::to_owned));
        let telling = super::paid::record(&key.unwrap_or_default(), fact).encode_to_vec();
        *request = DynamicMessage::decode(request.descriptor(), telling.as_slice()).expect("it is the RPC's message");
    }
    // What is wrong with one end of a hold's leg is to be found without the other to compare it with.
    for (own, other) in [(".from.", "to"), (".to.", "from")] {
        if place.path.contains(own)
            && let Some(Value::List(legs)) = request.get_field_by_name_mut("legs")
            && let Some(Value::Message(leg)) = legs.first_mut()
        {
            leg.clear_field_by_name(other);
        }
    }
    put_at(request, &place.steps, place, case)
}

/// Gives whether the place is there.
fn put_at(message: &mut DynamicMessage, steps: &[FieldDescriptor], place: &Place, case: &Case) -> bool {
    let [field, below @ ..] = steps else { return false };
    if !below.is_empty() {
        return match message.get_field_mut(field) {
            Value::Message(inner) => put_at(inner, below, place, case),
            Value::List(elements) => match elements.first_mut() {
                Some(Value::Message(inner)) => put_at(inner, below, place, case),
                _ => false,
            },
            _ => false,
        };
    }
    match (&case.value, case.fault) {
        (Some(value), _) => message.set_field(field, value.clone()),
        (None, Fault::Missing) => message.clear_field(field),
        (None, _) => {
            let most = super::rules::of(&place.name).map_or(0, |rule| rule.most);
            let count = if case.fault == Fault::Huge { HUGE } else { most + 1 };
            let Value::List(elements) = message.get_field_mut(field) else { return false };
            let Some(first) = elements.first().cloned() else { return false };
            *elements = vec![first; count];
        }
    }
    true
}
