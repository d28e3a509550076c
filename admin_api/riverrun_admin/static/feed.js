// Hear that something has changed: by one stream of events for all tabs of a browser, which the tab that holds the lock
// opens and tells the others about; by asking again from time to time where there is no stream.

const HIDDEN_MILLISECONDS = 30_000;
const TRIES = 3;

/** Topics that tell all there is on their pages; other pages have more, such as charts, that moves without an event. */
const TELLS_ALL = /^bulk\b/;

/** Call `changed()` whenever one of `topics` has changed, and every `every` milliseconds while there is no stream. */
export function openFeed(topics, { changed, every }) {
  const wanted = topics.split(",").filter(Boolean);
  const told = wanted.length > 0 && wanted.every((topic) => TELLS_ALL.test(topic));
  const feed = { streams: false, heard: -Infinity };
  const hear = () => { feed.heard = performance.now(); changed(); };
  setInterval(() => {
    if (document.hidden || (feed.streams && told)) return;
    if (performance.now() - feed.heard > (feed.streams ? 5 * every : every)) changed();
  }, every);
  if (wanted.length === 0 || !("locks" in navigator) || !("BroadcastChannel" in window)) return;
  share(wanted, hear, (streams) => {
    // What happened before this tab listened is not told again.
    if (streams && !feed.streams) hear();
    feed.streams = streams;
  });
}

/** Tell every tab which topics this one wants; the tab that leads streams what all of them want. */
function share(wanted, hear, streaming) {
  const channel = new BroadcastChannel("riverrun");
  const me = crypto.randomUUID?.() ?? String(Math.random());
  const others = new Map();
  let mine = wanted, hiding = 0, leading = null;
  const announce = () => { channel.postMessage({ tab: me, topics: mine }); leading?.reopen(); };
  const want = (topics) => { mine = topics; announce(); };
  channel.onmessage = ({ data }) => {
    if (data.changed) { if (wanted.includes(data.changed)) hear(); return; }
    if ("streams" in data) { streaming(data.streams); return; }
    if (data.leads) { streaming(false); announce(); return; }
    if (data.leaving) others.delete(data.tab);
    else others.set(data.tab, data.topics);
    leading?.reopen();
    leading?.tell();
  };
  addEventListener("pagehide", () => channel.postMessage({ tab: me, leaving: true }));
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(want, HIDDEN_MILLISECONDS, []);
    else want(wanted);
  });
  announce();
  navigator.locks.request("riverrun-events", () => new Promise(() => {
    channel.postMessage({ leads: me });
    leading = stream({
      topics: () => [...new Set([...mine, ...[...others.values()].flat()])].sort().slice(0, 50).join(","),
      hear: (topic) => { channel.postMessage({ changed: topic }); if (wanted.includes(topic)) hear(); },
      streaming: (streams) => { channel.postMessage({ streams }); streaming(streams); },
    });
  }));
}

/** Keep a stream of `topics()` open, and say whether it is; `reopen()` looks whether these are others, `tell()` says it again. */
function stream({ topics, hear, streaming }) {
  let source = null, open = "", failures = 0;
  const tell = () => streaming(source?.readyState === EventSource.OPEN);
  function close() {
    source?.close();
    source = null;
    tell();
  }
  function reopen() {
    const wanted = topics();
    if (failures >= TRIES || (source && wanted === open)) return;
    if (source) close();
    open = wanted;
    if (wanted === "") return;
    source = new EventSource(`${document.body.dataset.base}queue/events?topics=${encodeURIComponent(wanted)}`);
    source.onopen = () => { failures = 0; tell(); };
    source.onerror = () => {
      failures += 1;
      if (failures >= TRIES || source.readyState === EventSource.CLOSED) { failures = TRIES; close(); setTimeout(retry, 30_000); }
      else tell();
    };
    for (const name of ["overview", "queue", "job", "bulk"]) {
      source.addEventListener(name, (event) => hear(JSON.parse(event.data).topic ?? name));
    }
  }
  function retry() { failures = 0; reopen(); }
  reopen();
  return { reopen, tell };
}
