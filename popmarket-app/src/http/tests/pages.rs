//! The pages, as browsers use them.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::bad_input::picture;
use super::events::Listener;
use super::world::{ADMIN, ALICE, BOB, Client, OTHER_ADMIN, Reply, World, account};

/// A browser that is signed in.
pub(super) struct Browser<'a> {
    pub(super) world: &'a World,
    pub(super) cookie: String,
}

impl<'a> Browser<'a> {
    pub(super) async fn of(world: &'a World, who: u8) -> Self {
        Self { world, cookie: format!("session={}", world.token(who).await) }
    }

    pub(super) const fn stranger(world: &'a World) -> Self {
        Self { world, cookie: String::new() }
    }

    fn request(&self, method: &Method, path: &str) -> axum::http::request::Builder {
        let client = Client { world: self.world, token: None };
        let request = client.request(method, path).header("sec-fetch-site", "same-origin");
        if self.cookie.is_empty() { request } else { request.header("cookie", &self.cookie) }
    }

    async fn get(&self, path: &str) -> Reply {
        self.world.answer(self.request(&Method::GET, path).body(Body::empty()).unwrap()).await
    }

    pub(super) async fn page(&self, path: &str) -> String {
        let reply = self.get(path).await;
        assert_eq!(reply.status, StatusCode::OK, "{path} {reply:?}");
        assert_eq!(reply.header("content-type"), "text/html; charset=utf-8");
        reply.text().to_owned()
    }

    pub(super) async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request =
            self.request(&Method::POST, path).header("content-type", "application/x-www-form-urlencoded");
        self.world.answer(request.body(Body::from(body)).unwrap()).await
    }

    /// Fills in the first form with an action that ends like this, and follows where it leads.
    pub(super) async fn press(&self, page: &str, action: &str, fields: &[(&str, &str)]) -> String {
        let reply = self.press_once(page, action, fields).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{action} {reply:?}");
        self.page(reply.header("location")).await
    }

    pub(super) async fn press_once(&self, page: &str, action: &str, fields: &[(&str, &str)]) -> Reply {
        let (path, hidden) = form(page, action);
        let hidden: Vec<_> = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.submit(&path, &[&hidden, fields].concat()).await
    }
}

/// The action of a form and its hidden fields.
pub(super) fn form(page: &str, action: &str) -> (String, Vec<(String, String)>) {
    let forms = page.split("<form ").skip(1).map(|form| form.split("</form>").next().unwrap());
    let attribute = |text: &str, name: &str| {
        text.split_once(&format!("{name}=\"")).map(|(_, rest)| rest.split('"').next().unwrap().to_owned())
    };
    for form in forms {
        let path = attribute(form, "action").unwrap();
        if path.ends_with(action) {
            let hidden = form.split("<input type=\"hidden\" ").skip(1);
            let fields =
                hidden.map(|input| (attribute(input, "name").unwrap(), attribute(input, "value").unwrap()));
            return (path, fields.collect());
        }
    }
    panic!("no form leads to {action}: {page}");
}

async fn multipart(browser: &Browser<'_>, fields: &[(&str, &str)], photo: Option<&[u8]>) -> Reply {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend_from_slice(
            format!("--XX\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").as_bytes(),
        );
    }
    if let Some(photo) = photo {
        let head = "--XX\r\ncontent-disposition: form-data; name=\"photo\"; filename=\"a.png\"\r\ncontent-type: image/png\r\n\r\n";
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(photo);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--XX--\r\n");
    let request =
        browser.request(&Method::POST, "/sell").header("content-type", "multipart/form-data; boundary=XX");
    browser.world.answer(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn a_whole_purchase_without_script() {
    let world = World::new().await;
    let (seller, buyer) = (Browser::of(&world, ALICE).await, Browser::of(&world, BOB).await);
    let key = form(&seller.page("/sell").await, "/sell").1[0].1.clone();
    let fields = [
        ("form_key", key.as_str()),
        ("title", "필름 카메라"),
        ("price", "12000"),
        ("description", "한 번\r\n썼습니다"),
    ];
    let listed = multipart(&seller, &fields, Some(&picture())).await;
    assert_eq!(listed.status, StatusCode::SEE_OTHER, "{listed:?}");
    // Sent twice by a nervous finger, it is one listing.
    assert_eq!(
        multipart(&seller, &fields, Some(&picture())).await.header("location"),
        listed.header("location")
    );
    assert_eq!(world.height(), 1);

    let item = listed.header("location").split('?').next().unwrap().to_owned();
    assert!(seller.page(listed.header("location")).await.contains("판매가 등록되었습니다."));
    let home = Browser::stranger(&world).page("/").await;
    assert!(home.contains("필름 카메라") && home.contains("12,000 POP") && home.contains("/v1/blobs/"));
    assert!(Browser::stranger(&world).page(&item).await.contains(&format!("/sign-in?next={item}")));

    let page = buyer.page(&item).await;
    assert!(page.contains("11,880 POP") && page.contains("120 POP"));
    let trade_page = buyer.press(&page, "/buy", &[]).await;
    assert!(trade_page.contains("구매했습니다."));
    let trade = buyer.page("/trades").await.split("href=\"/trades/").nth(1).unwrap()[..64].to_owned();
    let path = format!("/trades/{trade}");
    let page = seller.press(&seller.page(&path).await, "/accept", &[]).await;
    let page = seller.press(&page, "/ship", &[("tracking", "CJ 1234")]).await;
    assert!(page.contains("배송 중"));
    let page = buyer.page(&path).await;
    assert!(page.contains("구매 확정하기") && page.contains("CJ 1234"));
    let page = buyer.press(&page, "/confirm", &[]).await;
    assert!(page.contains("거래 완료") && page.contains("구매자가 확정하여 판매자에게 지급되었습니다"));
    assert_eq!(world.available(ALICE), 1_011_880);
    assert!(buyer.page(&item).await.contains("판매 완료"));
    assert!(
        Browser::stranger(&world).page("/blocks/5").await.contains("bob 님이 ‘필름 카메라’ 구매를 확정하여")
    );
}

#[tokio::test]
async fn a_charge_is_asked_for_and_approved() {
    let world = World::new().await;
    let (bob, admin) = (Browser::of(&world, BOB).await, Browser::of(&world, ADMIN).await);
    let page = bob
        .press(&bob.page("/wallet").await, "/wallet/charges", &[("amount", "7000"), ("memo", "은행")])
        .await;
    assert!(page.contains("7,000 POP") && page.contains("요청됨"));
    let queue = admin.page("/admin/charges").await;
    assert!(queue.contains("bob") && queue.contains("은행"));
    admin.press(&queue, "/approve", &[]).await;
    assert!(bob.page("/wallet").await.contains("1,007,000 POP"));
    assert_eq!(bob.get("/admin/charges").await.status, StatusCode::FORBIDDEN);
    let wrong = bob
        .press_once(&bob.page("/wallet").await, "/wallet/charges", &[("amount", "-1"), ("memo", "<i>")])
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text().contains("value=\"-1\"") && wrong.text().contains("value=\"&#60;i&#62;\""));
}

#[tokio::test]
async fn a_withdrawal_is_asked_for_and_settled_or_called_off() {
    let world = World::new().await;
    let (bob, admin) = (Browser::of(&world, BOB).await, Browser::of(&world, ADMIN).await);
    let asks = async |memo: &str| {
        let fields = [("amount", "7000"), ("memo", memo)];
        bob.press(&bob.page("/wallet").await, "/wallet/withdrawals", &fields).await
    };
    let page = asks("은행 12").await;
    assert!(page.contains("7,000 POP") && page.contains("은행 12") && page.contains("993,000 POP"));
    let queue = admin.page("/admin/charges").await;
    assert!(queue.contains("bob") && queue.contains("은행 12"));
    let queue = admin.press(&queue, "/settle", &[]).await;
    assert!(queue.contains("이제 지급하세요.") && !queue.contains("은행 12"));
    assert!(bob.page("/wallet").await.contains("처리됨"));
    let page = asks("은행 13").await;
    let page = bob.press(&page, "/void", &[("reason", "마음이 바뀜")]).await;
    assert!(page.contains("취소됨") && world.available(BOB) == 993_000);
    assert_eq!(bob.submit("/admin/withdrawals/ab/settle", &[]).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_large_charge_says_that_it_takes_another_admin() {
    let world = World::new().await;
    let (bob, admin) = (world.client(BOB).await, Browser::of(&world, ADMIN).await);
    bob.must("/v1/charges", &json!({"amount": "1000001"})).await;
    let queue = admin.press(&admin.page("/admin/charges").await, "/approve", &[]).await;
    assert!(queue.contains("한 번 승인됨") && queue.contains("다른 관리자의 승인이 더 필요합니다."));
    let other = Browser::of(&world, OTHER_ADMIN).await;
    let queue = other.press(&other.page("/admin/charges").await, "/approve", &[]).await;
    assert!(queue.contains("승인했습니다") && world.available(BOB) == 2_000_001);
}

#[tokio::test]
async fn a_problem_is_said_on_the_page_where_it_happens() {
    let world = World::new().await;
    let alice = world.client(ALICE).await;
    let listing = alice.lists("Palace", 5_000_000).await;
    let bob = Browser::of(&world, BOB).await;
    let root = world.state_root();
    let reply = bob.press_once(&bob.page(&format!("/items/{listing}")).await, "/buy", &[]).await;
    assert_eq!(reply.status, StatusCode::CONFLICT);
    assert!(reply.text().contains("잔액이 부족합니다.") && reply.text().contains("5,000,000 POP"));
    assert_eq!(world.state_root(), root);
    // An old page: the listing has changed since.
    let page = bob.page(&format!("/items/{listing}?lang=en")).await;
    let change = json!({"price": "10"});
    alice.send(Method::PATCH, &format!("/v1/listings/{listing}"), &[("prefer", "wait=10")], &change).await;
    let reply = bob.press_once(&page, "/buy", &[]).await;
    assert_eq!(reply.status, StatusCode::CONFLICT);
    assert!(reply.text().contains("10 POP"));
}

#[tokio::test]
async fn every_page_is_there_in_both_languages_and_says_so() {
    let world = World::new().await;
    let alice = world.client(ALICE).await;
    let bob = world.client(BOB).await;
    let listing = alice.lists("Lamp", 300).await;
    let sold = alice.lists("Chair", 300).await;
    let trade = bob.buys(&sold).await;
    bob.must("/v1/charges", &json!({"amount": "9"})).await;
    bob.must("/v1/payments", &json!({"to": account(ALICE), "amount": "9"})).await;
    alice.moves(&trade, "cancel", &Value::Null).await;
    super::exchange::with_market(&world).await;
    alice.orders("SELL", "1000", "100").await;
    bob.orders("BUY", "1000", "50").await;
    let admin = Browser::of(&world, ADMIN).await;
    let bob = Browser::of(&world, BOB).await;
    let pages = [
        "/".to_owned(),
        "/?q=lamp".to_owned(),
        format!("/items/{listing}"),
        "/sign-in".to_owned(),
        "/sign-up".to_owned(),
        "/sell".to_owned(),
        "/trades".to_owned(),
        "/wallet".to_owned(),
        "/pay/request".to_owned(),
        "/pay/request?amount=9&reference=ROOM-7".to_owned(),
        format!("/pay?to={}&amount=9&reference=ROOM-7", account(BOB)),
        "/blocks".to_owned(),
        "/blocks/0".to_owned(),
        "/blocks/1".to_owned(),
        "/blocks/5".to_owned(),
        "/network".to_owned(),
        "/exchange".to_owned(),
        "/exchange/SHOP-POP".to_owned(),
        "/docs".to_owned(),
        "/search".to_owned(),
        "/search?q=a".to_owned(),
        format!("/members/{}", account(ALICE)),
    ];
    let trade = format!("/trades/{trade}");
    let of_bob = [trade.as_str(), "/exchange/SHOP-POP", "/wallet"].map(|path| (&bob, path));
    let of_admin = pages.iter().map(String::as_str).chain(["/admin/charges"]).map(|path| (&admin, path));
    for (browser, path) in of_admin.chain(of_bob) {
        let joint = if path.contains('?') { '&' } else { '?' };
        for lang in ["ko", "en"] {
            let page = browser.page(&format!("{path}{joint}lang={lang}")).await;
            assert!(page.contains(&format!("<html lang=\"{lang}\">")), "{path}");
            for key in crate::pages::text_keys() {
                assert!(!page.contains(&format!(">{key}<")), "{path} has a key without a text: {page}");
            }
            assert!(
                !page.contains("style=") && !page.contains("onclick") && !page.contains("<script>"),
                "{path}"
            );
            assert_eq!(page.matches("<h1>").count(), 1, "{path}");
        }
    }
}

#[tokio::test]
async fn the_language_is_chosen_remembered_or_asked_for() {
    let world = World::new().await;
    let stranger = Browser::stranger(&world);
    assert!(stranger.page("/").await.contains("<html lang=\"ko\">"));
    let chosen = stranger.get("/?lang=en").await;
    assert!(chosen.header("set-cookie").starts_with("lang=en; "), "{}", chosen.header("set-cookie"));
    let remembered = Browser { world: &world, cookie: "lang=en".to_owned() };
    assert!(remembered.page("/").await.contains("<html lang=\"en\">"));
    let request = stranger.request(&Method::GET, "/").header("accept-language", "en-US,en;q=0.9");
    assert!(world.answer(request.body(Body::empty()).unwrap()).await.text().contains("<html lang=\"en\">"));
}

#[tokio::test]
async fn what_members_write_is_text_and_nothing_else() {
    let world = World::new().await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let evil = "<script>alert('x')</script>\"&";
    let listing = json!({"title": evil, "description": evil, "price": "5"});
    let listing = alice.must("/v1/listings", &listing).await;
    let trade = bob.buys(&listing).await;
    alice.moves(&trade, "ship", &json!({"tracking": evil})).await;
    let charge = bob.must("/v1/charges", &json!({"amount": "1", "memo": evil})).await;
    let admin = Browser::of(&world, ADMIN).await;
    let queue = admin.page("/admin/charges").await;
    world.client(ADMIN).await.must(&format!("/v1/charges/{charge}/reject"), &json!({"reason": evil})).await;
    let bob = Browser::of(&world, BOB).await;
    let mut pages = vec![queue];
    for path in [
        "/?q=%3Cscript%3Ealert",
        &format!("/items/{listing}"),
        &format!("/trades/{trade}"),
        "/trades",
        "/wallet",
        "/blocks/1",
        "/blocks/5",
        "/sign-in?next=%22%3E%3Cscript%3E",
        "/%3Cscript%3Ealert(1)",
    ] {
        pages.push(bob.get(path).await.text().to_owned());
    }
    for page in pages {
        assert!(!page.contains("<script>"), "{page}");
        assert!(!page.contains("alert('x')"), "{page}");
    }
}

#[tokio::test]
async fn errors_are_pages_and_lead_on() {
    let world = World::new().await;
    let stranger = Browser::stranger(&world);
    for (path, status, text) in [
        ("/no/such/page", 404, "찾는 페이지가 없습니다."),
        ("/items/xyz", 400, "주소의 일부가 올바르지 않습니다."),
        (&format!("/items/{}", "ab".repeat(32)), 404, "그런 상품이 없습니다."),
        ("/blocks/999", 404, "그런 블록이 없습니다."),
        ("/?after=x", 400, "검색 조건이 올바르지 않습니다."),
    ] {
        let reply = stranger.get(path).await;
        assert_eq!(reply.status.as_u16(), status, "{path}");
        assert_eq!(reply.header("content-type"), "text/html; charset=utf-8");
        assert!(reply.text().contains(text) && reply.text().contains("<nav"), "{path} {reply:?}");
    }
    let reply = stranger.get("/trades?after=x").await;
    assert_eq!(
        (reply.status, reply.header("location")),
        (StatusCode::SEE_OTHER, "/sign-in?next=%2Ftrades%3Fafter%3Dx")
    );
    let reply = stranger.submit("/wallet/charges", &[("amount", "1")]).await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    let bob = Browser::of(&world, BOB).await;
    for (path, fields) in
        [("/wallet/charges", &[("nonsense", "1")][..]), ("/items/ab/buy", &[]), ("/sign-in", &[])]
    {
        assert!(bob.submit(path, fields).await.status.is_client_error(), "{path}");
    }
    let signed_in = bob.get("/no/such/page").await;
    assert!(signed_in.status.as_u16() == 404);
    let not_multipart = bob.submit("/sell", &[("title", "x")]).await;
    assert_eq!(not_multipart.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let nothing =
        multipart(&bob, &[("form_key", "k"), ("title", ""), ("price", "x"), ("description", "")], None).await;
    assert_eq!(nothing.status, StatusCode::UNPROCESSABLE_ENTITY, "{nothing:?}");
    let no_picture = multipart(&bob, &[("form_key", "k")], Some(b"GIF89a")).await;
    assert_eq!(no_picture.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(world.height(), 0);
}

#[tokio::test]
async fn a_visitor_signs_up_and_is_signed_in() {
    let world = World::new().await;
    let stranger = Browser::stranger(&world);
    let page = stranger.page("/sign-up").await;
    let reply =
        stranger.press_once(&page, "/sign-up", &[("name", "도라"), ("password", "correct horse")]).await;
    assert_eq!(
        (reply.status, reply.header("location")),
        (StatusCode::SEE_OTHER, "/?notice=welcome"),
        "{reply:?}"
    );
    let cookie = reply.header("set-cookie").split(';').next().unwrap().to_owned();
    let dora = Browser { world: &world, cookie };
    let home = dora.page("/?notice=welcome").await;
    assert!(home.contains("도라") && home.contains("환영합니다!"));
    let taken = stranger
        .press_once(
            &stranger.page("/sign-up").await,
            "/sign-up",
            &[("name", "alice"), ("password", "correct horse")],
        )
        .await;
    assert_eq!(taken.status, StatusCode::CONFLICT);
    assert!(taken.text().contains("이미 쓰고 있는 이름입니다.") && taken.text().contains("value=\"alice\""));
    assert!(!taken.text().contains("correct horse"));
}

#[tokio::test]
async fn files_are_served_by_name_and_kept_by_browsers() {
    let world = World::new().await;
    let stranger = Browser::stranger(&world);
    let page = stranger.page("/").await;
    for kind in ["app.css", "app.js", "icon.svg"] {
        let link = page.split('"').find(|part| part.starts_with(&format!("/static/{kind}?v="))).unwrap();
        let file = stranger.get(link).await;
        assert_eq!(file.status, StatusCode::OK);
        assert!(file.header("cache-control").contains("immutable"));
    }
    assert_eq!(stranger.get("/static/none.js").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_part_of_a_page_follows_events_about_what_it_shows() {
    let world = World::new().await;
    let (alice, bob) = (world.client(ALICE).await, world.client(BOB).await);
    let listing = alice.lists("Lamp", 300).await;
    let trade = bob.buys(&listing).await;
    bob.must("/v1/charges", &json!({"amount": "5"})).await;
    let mut listener = Listener::connect(&bob, "/v1/events?last_event_id=0-0", None).await;
    let mut events = Vec::new();
    while events.last().is_none_or(|event: &Value| event["name"] != "charge.requested") {
        events.push(listener.next().await.1);
    }
    let browser = Browser::of(&world, BOB).await;
    let me = account(BOB).to_string();
    for (path, prefix, about) in [
        (format!("/items/{listing}"), "listing.", &listing),
        (format!("/trades/{trade}"), "trade.", &trade),
        ("/trades".to_owned(), "trade.", &me),
        ("/wallet".to_owned(), "balance.", &me),
        ("/wallet".to_owned(), "charge.", &me),
    ] {
        let page = browser.page(&path).await;
        assert!(page.contains(&format!("data-live=\"{prefix}\" data-about=\"{about}\"")), "{path}");
        // As the script looks for it.
        let is_about = |event: &Value| {
            let values = event["data"].as_object().unwrap().values();
            event["name"].as_str().unwrap().starts_with(prefix)
                && values.into_iter().any(|value| value == about)
        };
        assert!(events.iter().any(is_about), "{path}: {prefix}");
    }
}
