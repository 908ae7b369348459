// Everything works without this file. With it, pages follow the ledger: when an event comes that a part of the page is
// about, the page is fetched again and that part replaced, unless the visitor is busy in it.
//
// `data-live` has the beginnings of the events' names. `data-about` has the trade, listing or account that they have to be
// about; parts without it are about all of them.
const live = [...document.querySelectorAll("[data-live]")];
const tip = document.querySelector("[data-height]");

const isBusy = (part) =>
  part.contains(document.activeElement) && document.activeElement.matches("input, textarea, button") ||
  [...part.querySelectorAll("input:not([type=hidden]), textarea")].some((field) => field.value !== field.defaultValue);

async function refresh(indexes) {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!answer.ok) return;
  const fresh = [...new DOMParser().parseFromString(await answer.text(), "text/html").querySelectorAll("[data-live]")];
  for (const i of indexes) {
    if (!fresh[i] || isBusy(live[i]) || live[i].innerHTML === fresh[i].innerHTML) continue;
    const part = document.adoptNode(fresh[i]);
    live[i].replaceWith(part);
    live[i] = part;
    localise(part);
  }
}

// Times are shown where the visitor is.
function localise(part) {
  const format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
  for (const time of part.querySelectorAll("time[datetime]")) time.textContent = format.format(new Date(time.dateTime));
}

// Tabs do not all come at once when something happens that many of them show, and none comes too often.
const SOON = 300, SPREAD = 1500, GAP = 5000;

const concerns = (part, name, data) =>
  part.dataset.live.split(",").some((prefix) => name.startsWith(prefix)) &&
  (!part.dataset.about || Object.values(data ?? {}).includes(part.dataset.about));

function follow() {
  const due = new Set();
  let timer = null, last = -GAP;
  const plan = () => {
    // A tab that nobody looks at waits until somebody does.
    if (due.size === 0 || timer !== null || document.hidden) return;
    timer = setTimeout(act, Math.max(SOON, last + GAP - performance.now()) + Math.random() * SPREAD);
  };
  // Several events that come together are one refresh.
  const act = () => {
    const indexes = [...due];
    due.clear();
    timer = null;
    last = performance.now();
    // The next event tries again.
    refresh(indexes).catch(() => {});
  };
  const events = new EventSource("/v1/events");
  events.addEventListener("message", (event) => {
    const { name, height, data } = JSON.parse(event.data);
    if (tip) tip.textContent = height;
    live.forEach((part, i) => {
      if (concerns(part, name, data)) due.add(i);
    });
    plan();
  });
  document.addEventListener("visibilitychange", plan);
}

localise(document);
if ("EventSource" in window) follow();
