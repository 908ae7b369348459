//! Whose is it? Every route that changes something, with everyone who could ask: what is refused, to whom, and how. What is
//! shown, and to whom, is in [`reads`].
//!
//! The cases are held to the rules: a route that is added without a case fails here.

mod cases;
mod reads;
mod scene;

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Method, StatusCode};

use super::world::{ADMIN, ALICE, BOB, CAROL, COURIER, Client, JUDGES, OTHER_ADMIN, Reply, World};
use crate::http::access::{self, Access, Rule};
use crate::http::{Code, HttpOptions, Rate, Rates};
use cases::{Case, Sent};
use scene::Scene;

/// Everyone with an account: two sides of a trade, a bystander, arbiters, a courier, admins.
const EVERYONE: [u8; 8] = [ALICE, BOB, CAROL, JUDGES[0], JUDGES[1], COURIER, ADMIN, OTHER_ADMIN];
const ADMINS: [u8; 2] = [ADMIN, OTHER_ADMIN];

/// What changes something and is not for everyone: for these a case is needed.
fn is_in_question(rule: &Rule) -> bool {
    let ends_own_session = rule.path == "/v1/sessions";
    rule.method != Method::GET && rule.access != Access::Anyone && !ends_own_session
}

impl Case {
    fn rule(&self) -> &'static Rule {
        let rule = access::rule(&self.method, self.path);
        rule.unwrap_or_else(|| panic!("no rule for {} {}", self.method, self.path))
    }

    /// What somebody is told who may not do it. None: it may be tried.
    fn refusal(&self, who: u8) -> Option<Code> {
        let name = if self.rule().access == Access::Admin && !ADMINS.contains(&who) {
            "FORBIDDEN"
        } else {
            self.refused.iter().find(|(refused, _)| refused.contains(&who))?.1
        };
        Some(*Code::ALL.iter().find(|code| code.name == name).unwrap_or_else(|| panic!("{name}")))
    }

    /// Sends it as a program does, or a browser.
    async fn send(&self, client: &Client<'_>, site: &str) -> Reply {
        let fields = match &self.sent {
            Sent::Json(body) => {
                return client.send(self.method.clone(), &self.at, &[("prefer", "wait=10")], body).await;
            }
            Sent::Form(fields) => fields,
        };
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("form_key", "one press of a button")
            .extend_pairs(fields)
            .finish();
        let nobody = Client { world: client.world, token: None };
        let mut request = nobody.request(&self.method, &self.at).header("sec-fetch-site", site);
        if let Some(token) = &client.token {
            request = request.header("cookie", format!("session={token}"));
        }
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        client.world.answer(request.body(Body::from(body)).unwrap()).await
    }

    fn is_form(&self) -> bool {
        matches!(self.sent, Sent::Form(_))
    }
}

async fn world() -> World {
    let endless = Rate { burst: 1e9, per_second: 1e9 };
    let rates = Rates { read: endless, write: endless, password: endless, heavy: endless };
    World::with_options(HttpOptions { rates, ..HttpOptions::default() }).await
}

#[tokio::test]
async fn every_route_that_changes_something_has_a_case() {
    let world = world().await;
    let cases = cases::all(&Scene::set(&world).await);
    let name = |method: &Method, path: &str| format!("{method} {path}");
    let covered: BTreeSet<_> = cases.iter().map(|case| name(&case.method, case.path)).collect();
    let rules = access::RULES.iter().filter(|rule| is_in_question(rule));
    let wanted: BTreeSet<_> = rules.map(|rule| name(&rule.method, rule.path)).collect();
    assert_eq!(covered, wanted);
    for case in &cases {
        assert_eq!(case.is_form(), !access::is_api(case.path), "{}", case.path);
    }
}

#[tokio::test]
async fn only_those_may_whose_it_is() {
    let world = world().await;
    let scene = Scene::set(&world).await;
    let cases = cases::all(&scene);
    let mut clients = Vec::new();
    for who in EVERYONE {
        clients.push((who, world.client(who).await));
    }
    let root = world.state_root();
    let mut refused = 0;
    for case in &cases {
        let (method, at) = (&case.method, &case.at);
        let reply = case.send(&world.stranger(), "same-origin").await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{method} {at}");
        for (who, client) in &clients {
            if case.is_form() {
                let elsewhere = case.send(client, "cross-site").await;
                assert_eq!(elsewhere.status, StatusCode::FORBIDDEN, "{method} {at} {who}");
            }
            let Some(code) = case.refusal(*who) else { continue };
            let reply = case.send(client, "same-origin").await;
            if case.is_form() {
                // The page comes back, with what is wrong.
                assert!(reply.status.is_client_error(), "{method} {at} {who}: {} {reply:?}", code.name);
            } else {
                assert_eq!(reply.status, code.status, "{method} {at} {who}: {} {reply:?}", code.name);
                assert_eq!(reply.code(), code.name, "{method} {at} {who}");
            }
            refused += 1;
        }
    }
    assert!(refused > cases.len(), "{refused}");
    assert_eq!(world.state_root(), root, "what is refused changes nothing");

    // And those may whose it is, as far as who they are is what counts.
    for case in &cases {
        for (who, client) in clients.iter().filter(|(who, _)| case.refusal(*who).is_none()) {
            let reply = case.send(client, "same-origin").await;
            let lets_in = !matches!(reply.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            assert!(
                lets_in && !reply.status.is_server_error(),
                "{} {} {who}: {reply:?}",
                case.method,
                case.at
            );
        }
    }
    assert_ne!(world.state_root(), root);
}

/// The pages have no list of their routes but the code itself.
#[test]
fn every_route_of_the_pages_has_its_rules() {
    let source = include_str!("../../pages.rs");
    let mut found = 0;
    for route in source.split(".route(").skip(1) {
        let route = route.split(".route(").next().unwrap_or_default();
        let Some(path) = route.trim_start().strip_prefix('"') else { continue };
        let (path, handlers) = path.split_once('"').unwrap();
        let handlers = handlers.split(';').next().unwrap_or_default();
        for (method, word) in [(Method::GET, "get("), (Method::POST, "post(")] {
            if handlers.contains(word) {
                assert!(access::rule(&method, path).is_some(), "{method} {path} has no rule");
                found += 1;
            }
        }
        assert!(access::methods(path).next().is_some(), "{path} has no rule");
    }
    assert!(found > 30, "{found}");
    for action in crate::http::model::Action::ALL {
        let path = format!("/trades/{{id}}/{}", action.verb());
        assert!(access::rule(&Method::POST, &path).is_some(), "{path}");
    }
}
