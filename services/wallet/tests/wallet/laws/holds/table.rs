//! The state table of a hold: what each verb comes to in each state, and what the balances are then.

use auric_time::Timestamp;
use auric_wallet::Handlers;
use auric_wallet::domain::{Mutation, Outcome, Posted, Unstored, Verdict};

use crate::asks::{SECOND, by, commit, held, moved, promised, release, reserve, reserve_for};
use crate::harness::{Ledger, balances, credit, outcome, post, send};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Debit,
    Room,
    Transfer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Absent,
    Held,
    Committed,
    Released,
    Expired,
    Voided,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Reserve,
    ReserveMore,
    StrangerReserves,
    CommitAll,
    CommitTen,
    CommitFour,
    CommitZero,
    CommitAboveHeld,
    CommitTwoAmounts,
    Release,
    StrangerCommits,
    StrangerReleases,
}

#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub kind: Kind,
    pub state: State,
    pub verb: Verb,
}

/// What a verb comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comes {
    /// It does something.
    Applied,
    /// It gets the answer of the Reserve again.
    LikeReserve,
    /// It gets the answer of the verb that ended the hold again.
    LikeEnd,
    Refused(&'static str),
    Unstored(&'static str),
}

/// How the hold stands afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Nothing,
    Held,
    Taken(u64),
}

/// The messages that brought a state about, with their answers.
pub struct Made {
    sent: Vec<(Mutation, Outcome)>,
    name: String,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Debit, Self::Room, Self::Transfer];

    /// A hold of two players has no deadline.
    pub fn can_be(self, state: State) -> bool {
        self != Self::Transfer || state != State::Expired
    }
}

impl State {
    pub const ALL: [Self; 6] = [Self::Absent, Self::Held, Self::Committed, Self::Released, Self::Expired, Self::Voided];
}

impl Verb {
    pub const ALL: [Self; 12] = [
        Self::Reserve,
        Self::ReserveMore,
        Self::StrangerReserves,
        Self::CommitAll,
        Self::CommitTen,
        Self::CommitFour,
        Self::CommitZero,
        Self::CommitAboveHeld,
        Self::CommitTwoAmounts,
        Self::Release,
        Self::StrangerCommits,
        Self::StrangerReleases,
    ];
}

impl Case {
    /// The table.
    fn comes_to(self) -> (Comes, After) {
        use {State as S, Verb as V};
        let stands = match self.state {
            S::Absent | S::Released | S::Expired | S::Voided => After::Nothing,
            S::Held => After::Held,
            S::Committed => After::Taken(10),
        };
        let as_it_was = |comes| (comes, stands);
        match (self.state, self.verb) {
            (S::Absent, V::Reserve | V::ReserveMore | V::StrangerReserves) => (Comes::Applied, After::Held),
            (S::Absent, V::Release | V::StrangerReleases) => as_it_was(Comes::Applied),
            (S::Absent, _) => as_it_was(Comes::Unstored("NOT_FOUND")),
            (_, V::StrangerCommits | V::StrangerReleases) => as_it_was(Comes::Unstored("NOT_YOURS")),
            (S::Held | S::Committed | S::Released | S::Expired, V::Reserve) => as_it_was(Comes::LikeReserve),
            (S::Held | S::Committed | S::Released | S::Expired, V::ReserveMore | V::StrangerReserves) => {
                as_it_was(Comes::Refused("HOLD_ID_REUSED"))
            }
            (S::Held, V::CommitAll | V::CommitTen) => (Comes::Applied, After::Taken(10)),
            (S::Held, V::CommitFour) => (Comes::Applied, After::Taken(4)),
            (S::Held, V::CommitZero | V::Release) => (Comes::Applied, After::Nothing),
            (S::Held, V::CommitAboveHeld) => as_it_was(Comes::Refused("ABOVE_HELD")),
            (S::Held, V::CommitTwoAmounts) => as_it_was(Comes::Unstored("INVALID")),
            (S::Committed, V::CommitAll | V::CommitTen) | (S::Released | S::Voided, V::Release) => {
                as_it_was(Comes::LikeEnd)
            }
            (S::Committed | S::Released | S::Expired | S::Voided, _) => as_it_was(Comes::Refused("HOLD_ENDED")),
        }
    }

    /// Brings the state about for a hold and players of its own, by messages under keys of their own.
    pub async fn bring_about(&self, wallet: &Handlers, ledger: &Ledger, now: &mut Timestamp) -> Made {
        let name = format!("{:?}-{:?}-{:?}", self.kind, self.state, self.verb);
        let mut made = Made { sent: Vec::new(), name };
        made.send(wallet, post(&format!("fund-{}", made.name), vec![credit(&made.name, "lumees", 100)])).await;
        if self.state == State::Voided {
            made.send(wallet, release(&made.key("void"), &made.name)).await;
        }
        if !matches!(self.state, State::Absent | State::Voided) {
            made.send(wallet, self.reserve(&made, "reserve", 10)).await;
        }
        match self.state {
            State::Committed => made.send(wallet, commit(&made.key("commit"), &made.name, &[10])).await,
            State::Released => made.send(wallet, release(&made.key("release"), &made.name)).await,
            State::Expired => {
                *now = now.plus_micros(60 * SECOND);
                ledger.set_clock(*now).await;
            }
            State::Absent | State::Held | State::Voided => {}
        }
        made
    }

    fn reserve(self, made: &Made, key: &str, amount: i64) -> Mutation {
        let (key, name) = (made.key(key), &made.name);
        let legs = match self.kind {
            Kind::Debit => vec![held(name, "lumees", amount)],
            Kind::Room => vec![promised(name, "lumees", amount)],
            Kind::Transfer => vec![moved(name, &made.other(), "lumees", amount)],
        };
        if self.state == State::Expired {
            return reserve_for(&key, name, legs, 60 * SECOND);
        }
        reserve(&key, name, legs)
    }

    fn message(self, made: &Made, key: &str) -> Mutation {
        let hold = &made.name;
        let take = |amounts: &[u64]| commit(&made.key(key), hold, amounts);
        match self.verb {
            Verb::Reserve => self.reserve(made, key, 10),
            Verb::ReserveMore => self.reserve(made, key, 11),
            Verb::StrangerReserves => by("shop", self.reserve(made, key, 10)),
            Verb::CommitAll => take(&[]),
            Verb::CommitTen => take(&[10]),
            Verb::CommitFour => take(&[4]),
            Verb::CommitZero => take(&[0]),
            Verb::CommitAboveHeld => take(&[11]),
            Verb::CommitTwoAmounts => take(&[5, 5]),
            Verb::Release => release(&made.key(key), hold),
            Verb::StrangerCommits => by("shop", take(&[])),
            Verb::StrangerReleases => by("shop", release(&made.key(key), hold)),
        }
    }

    /// Sends the verb, all that came before it once more, and the verb twice more.
    pub async fn check(&self, wallet: &Handlers, made: &Made) {
        let (comes, after) = self.comes_to();
        let (first, again) = (self.message(made, "verb"), self.message(made, "verb-again"));
        let verdict = send(wallet, first.clone()).await;
        self.assert_comes_to(made, &verdict, comes);
        for (message, answer) in &made.sent {
            assert_eq!(outcome(wallet, message.clone()).await, *answer, "{self:?}: a late twin of {message:?}");
        }
        let replay = send(wallet, first).await;
        match (&verdict, &replay) {
            (Verdict::Answered { outcome: first, .. }, Verdict::Answered { outcome, replayed: true }) => {
                assert_eq!(first, outcome, "{self:?}");
            }
            _ => assert_eq!(verdict, replay, "{self:?}: nothing was stored"),
        }
        let second = send(wallet, again).await;
        match (comes, &verdict, &second) {
            (
                Comes::Applied,
                Verdict::Answered { outcome: Ok(first), .. },
                Verdict::Answered { outcome: Ok(second), .. },
            ) => {
                assert_eq!(first, second, "{self:?}: the same verb, the same answer");
            }
            _ => self.assert_comes_to(made, &second, comes),
        }
        self.assert_balances(wallet, made, after).await;
    }

    fn assert_comes_to(self, made: &Made, verdict: &Verdict, comes: Comes) {
        let came = match verdict {
            Verdict::Answered { outcome: Err(rejection), .. } => Comes::Refused(rejection.reason()),
            Verdict::Answered { outcome: Ok(posted), .. } if made.is_answer(self.state.made_by(), posted) => {
                Comes::LikeReserve
            }
            Verdict::Answered { outcome: Ok(posted), .. } if made.is_answer(self.state.ended_by(), posted) => {
                Comes::LikeEnd
            }
            Verdict::Answered { outcome: Ok(_), .. } => Comes::Applied,
            Verdict::Unstored(Unstored::HoldNotFound(_)) => Comes::Unstored("NOT_FOUND"),
            Verdict::Unstored(Unstored::NotYourHold(_)) => Comes::Unstored("NOT_YOURS"),
            Verdict::Unstored(Unstored::Invalid(_)) => Comes::Unstored("INVALID"),
            Verdict::Unstored(other) => panic!("{self:?}: {other:?}"),
        };
        assert_eq!(came, comes, "{self:?}: {verdict:?}");
    }

    async fn assert_balances(&self, wallet: &Handlers, made: &Made, after: After) {
        let more = u64::from(self.verb == Verb::ReserveMore && self.state == State::Absent);
        let parts = async |name: &str| balances(wallet, name, "lumees").await[0].parts();
        let held = if after == After::Held { 10 + more } else { 0 };
        let taken = if let After::Taken(units) = after { units } else { 0 };
        let (payer, payee) = (parts(&made.name).await, parts(&made.other()).await);
        let expected = match self.kind {
            Kind::Debit => ([100 - held - taken, held, 0, 0], [0; 4]),
            Kind::Room => ([100 + taken, 0, held, 0], [0; 4]),
            Kind::Transfer => ([100 - held - taken, held, 0, 0], [taken, 0, held, 0]),
        };
        assert_eq!((payer, payee), expected, "{self:?}");
    }
}

impl State {
    /// Which of the messages that brought it about made the hold.
    fn made_by(self) -> Option<usize> {
        (!matches!(self, Self::Absent | Self::Voided)).then_some(1)
    }

    /// Which of them ended it.
    fn ended_by(self) -> Option<usize> {
        match self {
            Self::Committed | Self::Released => Some(2),
            Self::Voided => Some(1),
            Self::Absent | Self::Held | Self::Expired => None,
        }
    }
}

impl Made {
    async fn send(&mut self, wallet: &Handlers, message: Mutation) {
        let answer = outcome(wallet, message.clone()).await;
        assert!(answer.is_ok(), "{answer:?}");
        self.sent.push((message, answer));
    }

    fn is_answer(&self, sent: Option<usize>, posted: &Posted) -> bool {
        sent.is_some_and(|index| self.sent[index].1.as_ref() == Ok(posted))
    }

    fn key(&self, key: &str) -> String {
        format!("{key}-{}", self.name)
    }

    fn other(&self) -> String {
        format!("other-{}", self.name)
    }
}
