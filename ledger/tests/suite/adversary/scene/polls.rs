//! Polls that not everybody may take part in, and sealed votes.

use ledger::{
    Ballot, Census, PollContent, PollId, PollOp, PollTimes, Salt, UnixMillis, Voters, vote_commitment,
};
use pbft_crypto::{Address, Digest};

use super::later;
use crate::world::{World, address};

/// What bea has sealed her vote with.
pub(in crate::adversary) const SALT: Salt = Salt::new(Digest::from_bytes([7; 32]));
pub(in crate::adversary) const CHOICE: u8 = 0;

pub(in crate::adversary) struct Polls {
    /// Sam asks bea, and nobody else.
    pub(in crate::adversary) listed: PollId,
    /// Sam's: bea's vote is sealed, and may be revealed now.
    pub(in crate::adversary) sealed: PollId,
}

impl Polls {
    pub(super) fn set(world: &mut World) -> Self {
        let opens_at = UnixMillis::new(world.now.value() + 1_000);
        let times = PollTimes { opens_at, closes_at: later(world, 20) };
        let asked = Census::Listed { voters: only(address("bea")) };
        let listed = world.ok("sam", ask(Ballot::Open, asked, times)).id.into();

        let opens_at = UnixMillis::new(world.now.value() + 1_000);
        let times = PollTimes { opens_at, closes_at: UnixMillis::new(opens_at.value() + 60_000) };
        let ballot = Ballot::Sealed { reveal_by: later(world, 20) };
        let sealed = PollId::from(world.ok("sam", ask(ballot, Census::Everyone, times)).id);
        let commitment = vote_commitment(&sealed, &address("bea"), CHOICE, &SALT);
        world.ok("bea", PollOp::Commit { poll: sealed, commitment });
        world.wait_until(times.closes_at.value());
        Self { listed, sealed }
    }
}

pub(in crate::adversary) fn only(voter: Address) -> Voters {
    vec![voter].try_into().unwrap()
}

pub(in crate::adversary) fn ask(ballot: Ballot, census: Census, times: PollTimes) -> PollOp {
    let options = ["left", "right"].map(|text| text.parse().unwrap()).to_vec();
    let content = PollContent { question: "Where?".parse().unwrap(), options: options.try_into().unwrap() };
    PollOp::Create { content, ballot, census, changeable: false, times }
}
