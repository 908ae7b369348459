//! Lists as CSV: what a spreadsheet gets.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::exchange::with_market;
use super::world::{ADMIN, ALICE, BOB, Client, Reply, World, account};

/// Reads a table as RFC 4180 says.
fn cells(table: &str) -> Vec<Vec<String>> {
    let mut lines = vec![vec![String::new()]];
    let mut quoted = false;
    let mut chars = table.chars().peekable();
    while let Some(c) = chars.next() {
        let line = lines.last_mut().unwrap();
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                line.last_mut().unwrap().push(chars.next().unwrap());
            }
            '"' => quoted = !quoted,
            ',' if !quoted => line.push(String::new()),
            '\r' if !quoted => {
                assert_eq!(chars.next(), Some('\n'));
                lines.push(vec![String::new()]);
            }
            other => line.last_mut().unwrap().push(other),
        }
    }
    assert_eq!(lines.pop(), Some(vec![String::new()]), "the last line ends, too");
    lines
}

async fn table(client: &Client<'_>, path: &str) -> (Reply, Vec<Vec<String>>) {
    let request =
        client.request(&Method::GET, path).header("accept", "text/csv").body(Body::empty()).unwrap();
    let reply = client.world.answer(request).await;
    assert_eq!(reply.status, StatusCode::OK, "{path} {reply:?}");
    assert_eq!(reply.header("content-type"), "text/csv; charset=utf-8; header=present", "{path}");
    assert!(reply.header("content-disposition").starts_with("attachment; filename="), "{path}");
    let lines = cells(reply.text());
    assert!(lines.iter().all(|line| line.len() == lines[0].len()), "{path} {lines:?}");
    (reply, lines)
}

#[tokio::test]
async fn every_table_says_what_the_list_says() {
    let world = World::new().await;
    with_market(&world).await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let listing = alice.lists("Lamp", 300).await;
    let trade = bob.buys(&listing).await;
    alice.moves(&trade, "cancel", &Value::Null).await;
    alice.orders("SELL", "1000", "10").await;
    bob.orders("BUY", "1000", "10").await;
    bob.must("/v1/charges", &json!({"amount": "9", "memo": "cash, 입금"})).await;
    let admin = world.client(ADMIN).await;
    let lists = [
        ("/v1/transactions".to_owned(), "tx_id"),
        (format!("/v1/transactions?account={}", account(BOB)), "tx_id"),
        (format!("/v1/accounts/{}/transactions", account(BOB)), "tx_id"),
        (format!("/v1/accounts/{}/trades", account(ALICE)), "id"),
        (format!("/v1/accounts/{}/trades?side=seller", account(ALICE)), "id"),
        (format!("/v1/listings/{listing}/trades"), "trade"),
        ("/v1/markets/SHOP-POP/trades".to_owned(), "id"),
        ("/v1/tokens/SHOP/trades".to_owned(), "id"),
        ("/v1/charges".to_owned(), "id"),
    ];
    for (path, id) in &lists {
        let (_, lines) = table(&admin, path).await;
        let list = admin.get(path).await.json();
        let items = list["data"].as_array().unwrap();
        assert_eq!(lines.len(), 1 + items.len(), "{path}");
        assert!(!items.is_empty(), "{path}");
        let columns = &lines[0];
        assert!(columns.iter().any(|column| column == id), "{path}");
        for (line, item) in lines[1..].iter().zip(items) {
            for (column, cell) in columns.iter().zip(line) {
                match item.get(column) {
                    Some(Value::String(text)) => assert_eq!(cell, text, "{path} {column}"),
                    Some(Value::Null) => assert_eq!(cell, "", "{path} {column}"),
                    Some(other) => assert_eq!(*cell, other.to_string(), "{path} {column}"),
                    // Those of inner objects.
                    None => {
                        assert!(column.starts_with("paid_") || ["status", "code"].contains(&column.as_str()));
                    }
                }
            }
        }
        let joint = if path.contains('?') { '&' } else { '?' };
        let said = admin.get(&format!("{path}{joint}format=csv")).await;
        assert_eq!(cells(said.text()), lines, "{path}");
        let request = admin.request(&Method::GET, &format!("{path}{joint}format=json"));
        let request = request.header("accept", "text/csv").body(Body::empty()).unwrap();
        assert_eq!(world.answer(request).await.json(), list, "{path}");
        assert_eq!(admin.get(&format!("{path}{joint}format=xml")).await.code(), "INVALID_QUERY", "{path}");
    }
}

#[tokio::test]
async fn what_members_write_is_no_formula() {
    let world = World::new().await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let evil = "=HYPERLINK(\"http://127.0.0.1/?x=\"&A1,\"open\")";
    let listing = alice.lists(evil, 300).await;
    let trade = bob.buys(&listing).await;
    alice.moves(&trade, "cancel", &Value::Null).await;
    bob.must("/v1/charges", &json!({"amount": "9", "memo": "+1-2"})).await;
    let (_, lines) = table(&bob, &format!("/v1/listings/{listing}/trades")).await;
    assert!(lines[1].contains(&format!("'{evil}")), "{lines:?}");
    let (_, lines) = table(&bob, "/v1/charges").await;
    assert!(lines[1].contains(&"'+1-2".to_owned()), "{lines:?}");
    for path in ["/v1/charges".to_owned(), format!("/v1/accounts/{}/trades", account(ALICE))] {
        let (_, lines) = table(&bob, &path).await;
        assert!(lines.iter().flatten().all(|cell| !cell.starts_with(['=', '+', '-', '@'])), "{lines:?}");
    }
}

/// The target of a link in a `Link` header.
fn target(reply: &Reply, relation: &str) -> Option<String> {
    let links = reply.headers.get("link")?.to_str().unwrap();
    let link = links.split(", ").find(|link| link.ends_with(&format!("rel=\"{relation}\"")))?;
    Some(link.strip_prefix('<').unwrap().split('>').next().unwrap().to_owned())
}

#[tokio::test]
async fn a_table_goes_on_where_its_links_lead() {
    let world = World::new().await;
    let alice = world.client(ALICE).await;
    for title in ["a", "b", "c", "d", "e"] {
        alice.lists(title, 300).await;
    }
    let path = format!("/v1/accounts/{}/transactions", account(ALICE));
    let (whole, all) = table(&alice, &path).await;
    assert!(whole.headers.get("link").is_none());
    let mut next = Some(format!("{path}?limit=2"));
    let (mut seen, mut last) = (vec![all[0].clone()], String::new());
    while let Some(here) = next {
        let (reply, lines) = table(&alice, &here).await;
        assert_eq!(lines[0], all[0]);
        seen.extend_from_slice(&lines[1..]);
        next = target(&reply, "next");
        last = target(&reply, "prev").unwrap_or(last);
    }
    assert_eq!(seen, all);
    // From the last page, of one line, back to the one before it.
    let (reply, lines) = table(&alice, &last).await;
    assert_eq!(lines[1..], all[3..5]);
    assert!(target(&reply, "prev").is_some() && target(&reply, "next").is_some());
}

#[tokio::test]
async fn a_table_shows_no_more_than_the_list() {
    let world = World::new().await;
    let (bob, stranger) = (world.client(BOB).await, world.stranger());
    bob.must("/v1/charges", &json!({"amount": "4711", "memo": "secret"})).await;
    let all = format!("/v1/accounts/{}/transactions?format=csv", account(BOB));
    let text = stranger.get(&all).await.text().to_owned();
    assert!(!text.contains("4711") && !text.contains("secret"), "{text}");
    assert_eq!(stranger.get("/v1/charges?format=csv").await.code(), "UNAUTHENTICATED");
    let of_bob = format!("/v1/charges?format=csv&requester={}", account(BOB));
    assert_eq!(world.client(ALICE).await.get(&of_bob).await.code(), "FORBIDDEN");
}
