//! What events say about polls.

use ledger::{Ballot, Census, PollContent, PollEvent, PollId, PollTimes, UnixMillis};
use pbft_crypto::Address;

use super::{Done, To};
use crate::read_model::{Position, poll_search_text};
use crate::sql::{Col, either, insert};

pub(super) async fn write(to: &mut To<'_>, position: Position, event: &PollEvent) -> Done {
    match event {
        PollEvent::Created { poll, creator, content, ballot, census, changeable, times, at } => {
            let rules = Rules { ballot: *ballot, census, changeable: *changeable, times: *times };
            create(to, position, (*poll, *creator, *at), content, &rules).await
        }
        PollEvent::Voted { poll, choice, before, .. } => {
            if let Some(before) = before {
                count(to, *poll, *before, -1).await?;
            }
            count(to, *poll, *choice, 1).await
        }
        PollEvent::Committed { changed: true, .. } => Ok(()),
        PollEvent::Committed { poll, .. } => hide(to, *poll, 1).await,
        PollEvent::Revealed { poll, choice, .. } => {
            hide(to, *poll, -1).await?;
            count(to, *poll, *choice, 1).await
        }
        PollEvent::Closed { poll, height, at, .. } => {
            let sql = "UPDATE polls SET closed_height = $1, closed_at = $2 WHERE id = $3";
            let query = either::query(sql).bind(Col(*height)).bind(Col(*at)).bind(Col(*poll));
            query.execute(to).await?;
            Ok(())
        }
    }
}

struct Rules<'a> {
    ballot: Ballot,
    census: &'a Census,
    changeable: bool,
    times: PollTimes,
}

async fn create(
    to: &mut To<'_>,
    position: Position,
    (poll, creator, at): (PollId, Address, UnixMillis),
    content: &PollContent,
    rules: &Rules<'_>,
) -> Done {
    let PollTimes { opens_at, closes_at } = rules.times;
    let reveal_by = match rules.ballot {
        Ballot::Open => None,
        Ballot::Sealed { reveal_by } => Some(reveal_by),
    };
    let listed = match rules.census {
        Census::Everyone => None,
        Census::Listed { voters } => Some(i64::from(voters.len())),
    };
    let sql = "INSERT INTO polls (id, position, creator, question, reveal_by, changeable, listed, opens_at, closes_at, \
               ends_at, unrevealed, created_at, search_text) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, $12)";
    let query = either::query(sql).bind(Col(poll)).bind(Col(position)).bind(Col(creator));
    let query = query.bind(Col(content.question.clone())).bind(reveal_by.map(Col)).bind(rules.changeable);
    let query = query.bind(listed).bind(Col(opens_at)).bind(Col(closes_at));
    let query = query.bind(Col(reveal_by.unwrap_or(closes_at))).bind(Col(at));
    let query = query.bind(poll_search_text(&content.question));
    query.execute(to).await?;
    let options: Vec<_> = content.options.as_slice().iter().zip(0_u8..).collect();
    insert(to, "poll_options (poll, choice, text, votes)", 4, "", options, |mut row, (text, choice)| {
        row.push_bind(Col(poll)).push_bind(Col(choice)).push_bind(Col(text.clone())).push_bind(0_i64);
    })
    .await
}

async fn count(to: &mut To<'_>, poll: PollId, choice: u8, by: i64) -> Done {
    let sql = "UPDATE poll_options SET votes = votes + $1 WHERE poll = $2 AND choice = $3";
    either::query(sql).bind(by).bind(Col(poll)).bind(Col(choice)).execute(to).await?;
    Ok(())
}

async fn hide(to: &mut To<'_>, poll: PollId, by: i64) -> Done {
    let sql = "UPDATE polls SET unrevealed = unrevealed + $1 WHERE id = $2";
    either::query(sql).bind(by).bind(Col(poll)).execute(to).await?;
    Ok(())
}
