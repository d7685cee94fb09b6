//! What the members of a team do for each other.

use std::collections::{BTreeMap, BTreeSet};

use auric_ids::{ClassId, ElementId, SynergyId};

use super::stats::permille_of;

/// What members of a team do for each other, when all of its conditions hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synergy {
    /// What players call it.
    pub name: String,
    /// What must hold; never empty.
    pub conditions: Vec<Condition>,
    /// How many thousandths of the members' power it adds.
    pub power_permille: u64,
}

/// One thing that must hold of a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// So many members of that element.
    Element(ElementId, usize),
    /// So many members of that class.
    Class(ClassId, usize),
    /// So many members of any one element.
    SameElement(usize),
    /// So many different elements.
    DistinctElements(usize),
}

/// What synergies look at in a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Traits<'a> {
    /// Its element.
    pub element: &'a ElementId,
    /// Its class.
    pub class: &'a ClassId,
}

/// One synergy that holds in a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SynergyLine {
    /// Which.
    pub id: SynergyId,
    /// What players call it.
    pub name: String,
    /// How many thousandths of the members' power it adds.
    pub power_permille: u64,
    /// How much that is.
    pub power: u64,
}

/// What a team is worth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TeamPower {
    /// The members' power, added up.
    pub base: u64,
    /// With what the synergies add.
    pub total: u64,
    /// Every synergy that holds, in the order of their ids.
    pub lines: Vec<SynergyLine>,
}

impl Condition {
    /// How many members are missing at least for it to hold of `team`.
    #[must_use]
    pub fn missing(&self, team: &[Traits<'_>]) -> usize {
        let (wanted, found) = match self {
            Self::Element(element, count) => (*count, team.iter().filter(|member| member.element == element).count()),
            Self::Class(class, count) => (*count, team.iter().filter(|member| member.class == class).count()),
            Self::SameElement(count) => {
                let of = |one: &Traits<'_>| team.iter().filter(|member| member.element == one.element).count();
                (*count, team.iter().map(of).max().unwrap_or_default())
            }
            Self::DistinctElements(count) => {
                let elements: BTreeSet<_> = team.iter().map(|member| member.element).collect();
                (*count, elements.len())
            }
        };
        wanted.saturating_sub(found)
    }
}

impl Synergy {
    /// Whether it can hold once `more` members have joined `team`. With 0: whether it holds.
    ///
    /// Two conditions may need the same newcomer for different things, so that this may hope too much; never too little.
    #[must_use]
    pub fn can_hold(&self, team: &[Traits<'_>], more: usize) -> bool {
        self.conditions.iter().all(|condition| condition.missing(team) <= more)
    }
}

/// What a team of these members is worth.
#[must_use]
pub fn team_power(synergies: &BTreeMap<SynergyId, Synergy>, members: &[(Traits<'_>, u64)]) -> TeamPower {
    let base = members.iter().map(|(_, power)| *power).fold(0, u64::saturating_add);
    let traits: Vec<Traits<'_>> = members.iter().map(|(traits, _)| *traits).collect();
    let holding = synergies.iter().filter(|(_, synergy)| synergy.can_hold(&traits, 0));
    let line = |(id, synergy): (&SynergyId, &Synergy)| SynergyLine {
        id: id.clone(),
        name: synergy.name.clone(),
        power_permille: synergy.power_permille,
        power: permille_of(base, synergy.power_permille),
    };
    let lines: Vec<SynergyLine> = holding.map(line).collect();
    let total = lines.iter().map(|line| line.power).fold(base, u64::saturating_add);
    TeamPower { base, total, lines }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_team_is_worth_its_members_and_what_they_do_for_each_other() {
        // R-C3
        let [fire, wind]: [ElementId; 2] = ["fire", "wind"].map(|id| id.parse().unwrap());
        let [striker, guardian]: [ClassId; 2] = ["striker", "guardian"].map(|id| id.parse().unwrap());
        let synergy = |conditions, power_permille| Synergy { name: "S".to_owned(), conditions, power_permille };
        let synergies: BTreeMap<SynergyId, Synergy> = [
            ("wildfire", synergy(vec![Condition::Element(fire.clone(), 1), Condition::Element(wind.clone(), 1)], 60)),
            ("kindred", synergy(vec![Condition::SameElement(2)], 50)),
            ("wall", synergy(vec![Condition::Class(guardian.clone(), 2)], 100)),
            ("prism", synergy(vec![Condition::DistinctElements(2)], 10)),
        ]
        .into_iter()
        .map(|(id, synergy)| (id.parse().unwrap(), synergy))
        .collect();
        let member = |element, class, power| (Traits { element, class }, power);
        let worth = |members: &[_]| {
            let worth = team_power(&synergies, members);
            let lines: Vec<String> = worth.lines.iter().map(|line| format!("{}+{}", line.id, line.power)).collect();
            (worth.base, worth.total, lines.join(" "))
        };
        let (one, two) = (member(&fire, &striker, 100), member(&fire, &guardian, 110));
        let three = member(&wind, &guardian, 100);
        assert_eq!(worth(&[]), (0, 0, String::new()));
        assert_eq!(worth(&[one]), (100, 100, String::new()));
        assert_eq!(worth(&[one, two]), (210, 220, "kindred+10".to_owned()));
        let all = "kindred+15 prism+3 wall+31 wildfire+18".to_owned();
        assert_eq!(worth(&[one, two, three]), (310, 310 + 15 + 3 + 31 + 18, all.clone()));
        assert_eq!(worth(&[three, one, two]), (310, 377, all), "in any order");
    }
}
