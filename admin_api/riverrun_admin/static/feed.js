// Hear that something has changed: by one stream of events for all tabs of a browser, which the tab that holds the lock
// opens and tells the others about; by asking again from time to time where there is no stream.

const HIDDEN_MILLISECONDS = 30_000;
const TRIES = 3;

/** Call `changed()` whenever one of `topics` has changed, and at least every `every` milliseconds without a stream. */
export function openFeed(topics, { changed, every }) {
  const wanted = topics.split(",").filter(Boolean);
  let heard = -Infinity;
  const hear = () => { heard = performance.now(); changed(); };
  // Also with a stream: what it has no topic for, such as charts, moves too; only more slowly then.
  setInterval(() => {
    if (!document.hidden && performance.now() - heard > (heard === -Infinity ? every : 5 * every)) changed();
  }, every);
  if (wanted.length === 0 || !("locks" in navigator) || !("BroadcastChannel" in window)) return;
  share(wanted, hear);
}

/** Tell every tab which topics this one wants; the tab that leads streams what all of them want. */
function share(wanted, hear) {
  const channel = new BroadcastChannel("riverrun");
  const me = crypto.randomUUID?.() ?? String(Math.random());
  const others = new Map();
  let reopen = () => {};
  channel.onmessage = ({ data }) => {
    if (data.changed) { if (data.changed.some((topic) => wanted.includes(topic))) hear(); return; }
    if (data.leaving) others.delete(data.tab);
    else if (data.ask) announce();
    else others.set(data.tab, data.topics);
    reopen();
  };
  const announce = () => channel.postMessage({ tab: me, topics: document.hidden ? [] : wanted });
  addEventListener("pagehide", () => channel.postMessage({ tab: me, leaving: true }));
  document.addEventListener("visibilitychange", announce);
  announce();
  navigator.locks.request("riverrun-events", () => new Promise(() => {
    channel.postMessage({ ask: true });
    const all = () => [...new Set([...wanted, ...[...others.values()].flat()])].sort().slice(0, 50);
    reopen = stream(all, (topic) => { channel.postMessage({ changed: [topic] }); if (wanted.includes(topic)) hear(); });
  }));
}

/** Keep a stream of the topics that `all()` returns open; return what opens it anew when these are others. */
function stream(all, hear) {
  let source = null, open = "", failures = 0, hiding = 0;
  function start() {
    const topics = all().join(",");
    if (failures >= TRIES || (source && topics === open)) return;
    source?.close();
    open = topics;
    source = new EventSource(`${document.body.dataset.base}queue/events?topics=${encodeURIComponent(topics)}`);
    source.onopen = () => { failures = 0; };
    source.onerror = () => {
      failures += 1;
      if (failures >= TRIES || source.readyState === EventSource.CLOSED) { source.close(); source = null; failures = TRIES; setTimeout(retry, 30_000); }
    };
    for (const name of ["overview", "queue", "job"]) {
      source.addEventListener(name, (event) => hear(JSON.parse(event.data).topic ?? name));
    }
  }
  function retry() { failures = 0; start(); }
  function stop() { source?.close(); source = null; }
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(stop, HIDDEN_MILLISECONDS);
    else start();
  });
  start();
  return start;
}
