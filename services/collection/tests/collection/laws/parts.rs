//! What a part refuses besides the table: strangers, other contents, a full collection, an unknown catalog (R-W6).

use auric_collection::domain::{Refusal, Verdict};
use auric_twophase::Participation;

use crate::asks::{
    STRANGE, by, cancel, commit, commit_of, esprit_id, grant, operation, player, prepare, prepare_under,
};
use crate::harness::{Shelf, answered, done, esprits, on_every_store, refused, rules, send};

on_every_store!(
    only_the_coordinator_ends_its_operation,
    the_same_verb_with_other_contents_is_refused,
    an_unknown_catalog_is_never_stored,
    a_commit_consults_no_catalog,
    a_commit_grants_no_more_than_was_promised,
    an_esprits_id_is_its_own_for_ever,
    promises_count_against_the_room,
    rows_are_kept_for_ever,
);

fn reused(refusal: Refusal) -> Vec<&'static str> {
    match refusal {
        Refusal::OperationReused { fields, .. } => fields,
        other => panic!("{other:?}"),
    }
}

async fn only_the_coordinator_ends_its_operation(shelf: Shelf) {
    let collection = shelf.copy().await;
    done(&collection, prepare(1, "p", 1)).await;
    for stranger in [by("shop", commit(1, "p", 1)), by("shop", cancel(1, "p"))] {
        assert_eq!(refused(&collection, stranger).await, Refusal::NotYours(operation(1)));
    }
    assert_eq!(reused(refused(&collection, by("shop", prepare(1, "p", 1))).await), ["caller"]);
    assert_eq!(collection.part(&operation(1)).await.unwrap().unwrap().state, Participation::Prepared);
    done(&collection, commit(1, "p", 1)).await;
    assert_eq!(refused(&collection, by("shop", commit(1, "p", 1))).await, Refusal::NotYours(operation(1)));
    shelf.assert_whole().await;
}

async fn the_same_verb_with_other_contents_is_refused(shelf: Shelf) {
    let collection = shelf.copy().await;
    done(&collection, prepare(1, "p", 2)).await;
    assert_eq!(reused(refused(&collection, prepare(1, "p", 3)).await), ["intent"]);
    assert_eq!(reused(refused(&collection, prepare(1, "q", 2)).await), ["player_id"]);
    assert_eq!(reused(refused(&collection, prepare_under(STRANGE, 1, "p", 2)).await), ["catalog_hash"]);
    assert_eq!(reused(refused(&collection, commit(1, "q", 2)).await), ["player_id"]);
    assert_eq!(reused(refused(&collection, cancel(1, "q")).await), ["player_id"]);
    done(&collection, commit(1, "p", 2)).await;
    assert_eq!(reused(refused(&collection, commit(1, "p", 1)).await), ["outcome"]);
    assert_eq!(esprits(&collection, "p").await.len(), 2);
    assert_eq!(esprits(&collection, "q").await.len(), 0);
    shelf.assert_whole().await;
}

async fn an_unknown_catalog_is_never_stored(shelf: Shelf) {
    let collection = shelf.copy().await;
    let ask = prepare_under(STRANGE, 1, "p", 1);
    assert_eq!(refused(&collection, ask.clone()).await, Refusal::CatalogUnknown(STRANGE));
    assert_eq!(collection.part(&operation(1)).await.unwrap(), None);
    // Another copy puts it into force: the very same request is granted, by this copy, whose own catalog is another.
    shelf.keep(STRANGE).await;
    assert_eq!(done(&collection, ask).await.catalog, Some(STRANGE));
    shelf.assert_whole().await;
}

async fn a_commit_consults_no_catalog(mut shelf: Shelf) {
    let collection = shelf.copy().await;
    done(&collection, prepare(1, "p", 3)).await;
    // The next copy runs another catalog, in which there is no room for anybody and no species of that name.
    let mut catalog = (*rules(1).catalog).clone();
    catalog.esprits_hash = STRANGE;
    catalog.species.clear();
    shelf.rules.catalog = std::sync::Arc::new(catalog);
    let other = shelf.copy().await;
    assert_eq!(done(&other, commit(1, "p", 3)).await.state, Participation::Committed);
    assert_eq!(esprits(&other, "p").await.len(), 3);
    shelf.assert_whole().await;
}

async fn a_commit_grants_no_more_than_was_promised(shelf: Shelf) {
    let collection = shelf.copy().await;
    done(&collection, prepare(1, "p", 2)).await;
    let Refusal::Invalid(fields) = refused(&collection, commit(1, "p", 3)).await else { panic!("not malformed") };
    assert_eq!(fields[0].path, "grant.esprits");
    assert_eq!(esprits(&collection, "p").await.len(), 0, "nothing of it was done");
    // Less is granted: the promise was an upper bound, and all of it is given back.
    done(&collection, commit(1, "p", 1)).await;
    assert_eq!(shelf.counts("p").await, (1, 0));
    shelf.assert_whole().await;
}

async fn an_esprits_id_is_its_own_for_ever(shelf: Shelf) {
    let collection = shelf.copy().await;
    for number in [1, 2] {
        done(&collection, prepare(number, "p", 2)).await;
    }
    done(&collection, commit(1, "p", 1)).await;
    let ids = [esprit_id(2, 0), esprit_id(1, 0)];
    let Refusal::Invalid(fields) = refused(&collection, commit_of(2, "p", &ids)).await else { panic!("not malformed") };
    assert_eq!(fields.iter().map(|field| field.path.as_str()).collect::<Vec<_>>(), ["grant.esprits[1].esprit_id"]);
    assert_eq!(esprits(&collection, "p").await.len(), 1);
    done(&collection, commit(2, "p", 2)).await;
    shelf.assert_whole().await;
}

async fn promises_count_against_the_room(mut shelf: Shelf) {
    shelf.rules = rules(10);
    let collection = shelf.copy().await;
    done(&collection, prepare(1, "p", 4)).await;
    done(&collection, commit(1, "p", 4)).await;
    done(&collection, prepare(2, "p", 5)).await;
    let full = Refusal::CollectionFull { player: player("p"), esprits: 4, promised: 5, asked: 2, maximum: 10 };
    assert_eq!(refused(&collection, prepare(3, "p", 2)).await, full);
    assert_eq!(collection.part(&operation(3)).await.unwrap(), None, "a refused promise stores nothing");
    done(&collection, prepare(4, "p", 1)).await;
    // What was given up makes room again, for the request that was refused before too.
    done(&collection, cancel(2, "p")).await;
    done(&collection, prepare(3, "p", 2)).await;
    assert_eq!(shelf.counts("p").await, (4, 3));
    let verdict = send(&collection, cancel(2, "p")).await;
    assert!(matches!(verdict, Verdict::Stands { again: true, .. }), "given back once: {verdict:?}");
    assert_eq!(shelf.counts("p").await, (4, 3));
    shelf.assert_whole().await;
}

async fn rows_are_kept_for_ever(shelf: Shelf) {
    // R-O6: what a player had is never erased, by whomever.
    let collection = shelf.copy().await;
    done(&collection, prepare(1, "p", 1)).await;
    done(&collection, commit(1, "p", 1)).await;
    shelf.keep(STRANGE).await;
    answered(&collection, grant("g", "p", &["a"])).await.unwrap();
    for table in ["esprits", "participations", "catalogs", "equipment", "mutations"] {
        shelf.sql(&format!("DELETE FROM {table}")).await.expect_err(table);
    }
    shelf.sql("UPDATE catalogs SET content = ''").await.expect_err("catalogs");
    let kept = esprits(&collection, "p").await.remove(0);
    assert!(kept.created_at == kept.updated_at && kept.dissolved_at.is_none());
}
