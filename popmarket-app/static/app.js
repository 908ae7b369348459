// Everything works without this file. With it, pages follow the ledger: when an event comes that a part of the page is
// about, the page is fetched again and that part replaced, unless the visitor is busy in it.
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

function follow() {
  const due = new Set();
  let timer = null;
  // Several events that come together are one refresh.
  const act = () => {
    const indexes = [...due];
    due.clear();
    timer = null;
    // The next event tries again.
    refresh(indexes).catch(() => {});
  };
  const events = new EventSource("/v1/events");
  events.addEventListener("message", ({ data }) => {
    const { name, height } = JSON.parse(data);
    if (tip) tip.textContent = height;
    live.forEach((part, i) => {
      if (part.dataset.live.split(",").some((prefix) => name.startsWith(prefix))) due.add(i);
    });
    if (due.size > 0) timer ??= setTimeout(act, 300);
  });
}

localise(document);
if ("EventSource" in window) follow();
