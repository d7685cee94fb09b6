//! What a batch tells others: esprits and teams as they are from now on. They change, so that what is told is kept with the event.

use std::collections::BTreeMap;

use auric_events::Noted;
use auric_ids::PlayerId;
use serde::{Deserialize, Serialize};

use super::{Esprit, EspritRow, Player, Team};

/// What happened to a player, who is named beside it with the version of the player's row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum News {
    /// An esprit came.
    #[serde(rename = "added")]
    Added(Esprit),
    /// An esprit was changed.
    #[serde(rename = "changed")]
    Changed(Esprit),
    /// An esprit was dissolved.
    #[serde(rename = "dissolved")]
    Dissolved(Esprit),
    /// The team was changed.
    #[serde(rename = "team")]
    Team {
        /// Who is in it.
        team: Team,
        /// Counts its changes.
        version: u64,
    },
}

impl News {
    /// What there is to tell of what was written, where teams had these versions before. A mark that an operation sets is no change.
    pub(super) fn of(
        esprits: &[EspritRow],
        players: &[(PlayerId, Player)],
        loaded_teams: &BTreeMap<PlayerId, u64>,
    ) -> Vec<Noted<Self>> {
        let versions: BTreeMap<&PlayerId, u64> = players.iter().map(|(id, player)| (id, player.version)).collect();
        let mut news = Vec::new();
        for EspritRow { esprit, loaded_version } in
            esprits.iter().filter(|row| row.esprit.version != row.loaded_version)
        {
            let version = versions.get(&esprit.player).copied().unwrap_or_default();
            let mut tell = |what: Self| news.push(Noted(esprit.player.clone(), version, what));
            if *loaded_version == 0 {
                tell(Self::Added(esprit.clone()));
            }
            if esprit.dissolved_at.is_some() {
                tell(Self::Dissolved(esprit.clone()));
            } else if *loaded_version > 0 {
                tell(Self::Changed(esprit.clone()));
            }
        }
        for (id, player) in players {
            if player.team_version != loaded_teams.get(id).copied().unwrap_or_default() {
                let what = Self::Team { team: player.team.clone(), version: player.team_version };
                news.push(Noted(id.clone(), player.version, what));
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use auric_time::Timestamp;

    use super::*;

    fn esprit(version: u64, dissolved: bool) -> Esprit {
        let id = |text: &str| text.parse().unwrap();
        Esprit {
            id: "e".parse().unwrap(),
            player: id("p"),
            number: 1,
            species: "nerissa".parse().unwrap(),
            level: 1,
            version,
            operation: "0123456789abcdef0123456789abcdef".parse().unwrap(),
            locked: false,
            busy: None,
            created_at: Timestamp::EPOCH,
            updated_at: Timestamp::EPOCH,
            dissolved_at: dissolved.then_some(Timestamp::EPOCH),
        }
    }

    fn told(loaded_version: u64, esprit: Esprit) -> Vec<News> {
        let player = Player { version: 7, ..Player::default() };
        let news =
            News::of(&[EspritRow { esprit, loaded_version }], &[("p".parse().unwrap(), player)], &BTreeMap::new());
        assert!(news.iter().all(|Noted(_, version, _)| *version == 7), "with the player's own version: {news:?}");
        news.into_iter().map(|Noted(_, _, what)| what).collect()
    }

    #[test]
    fn what_came_changed_or_went_is_told_and_a_mark_is_not() {
        let (new, gone) = (esprit(1, false), esprit(3, true));
        assert_eq!(told(0, new.clone()), [News::Added(new.clone())]);
        assert_eq!(told(1, esprit(2, false)), [News::Changed(esprit(2, false))]);
        assert_eq!(told(2, gone.clone()), [News::Dissolved(gone.clone())]);
        assert_eq!(told(0, gone.clone()), [News::Added(gone.clone()), News::Dissolved(gone)], "all in one batch");
        assert_eq!(told(1, new), [], "an operation's mark changes no version");
    }

    #[test]
    fn an_event_is_read_as_it_was_written() {
        let news = News::Dissolved(esprit(3, true));
        let text = serde_json::to_string(&news).unwrap();
        assert_eq!(serde_json::from_str::<News>(&text).unwrap(), news);
    }
}
