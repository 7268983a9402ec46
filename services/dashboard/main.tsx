// The dashboard: finds out who looks, then shows the page that the address names.

import { type FunctionComponent, type JSX, render } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Dialogs } from "./dialog.tsx";
import { type PageProps, usePlace } from "./link.ts";
import { startLive, stopLive } from "./live.ts";
import { Audit } from "./pages/audit.tsx";
import { BusPage } from "./pages/bus.tsx";
import { Chat } from "./pages/chat.tsx";
import { Cron } from "./pages/cron.tsx";
import { Handlers } from "./pages/handlers.tsx";
import { JobPage } from "./pages/job.tsx";
import { Jobs } from "./pages/jobs.tsx";
import { Login } from "./pages/login.tsx";
import { Now } from "./pages/now.tsx";
import { QueuePage } from "./pages/queue.tsx";
import { Queues } from "./pages/queues.tsx";
import { ScheduleHistory } from "./pages/schedule-history.tsx";
import { Workers } from "./pages/workers.tsx";
import { Empty } from "./parts.tsx";
import { findSession, refused, session } from "./session.ts";
import { Banner, Navigation, useKeys } from "./shell.tsx";
import { useStore } from "./store.ts";
import { Toasts } from "./toast.tsx";
import { watchTrouble } from "./watch.ts";
import "./style/base.css";
import "./style/shell.css";
import "./style/parts.css";
import "./style/table.css";
import "./style/pages.css";

type Page = FunctionComponent<PageProps>;

/** By the first word of the address, and whether there is a second one. */
const PAGES: Readonly<Record<string, { readonly all: Page; readonly one?: Page }>> = {
  "": { all: Now },
  queues: { all: Queues, one: QueuePage },
  jobs: { all: Jobs, one: JobPage },
  workers: { all: Workers },
  cron: { all: Cron, one: ScheduleHistory },
  chat: { all: Chat },
  bus: { all: BusPage },
  handlers: { all: Handlers },
  audit: { all: Audit },
};

function App(): JSX.Element | null {
  const who = useStore(session);
  const why = useStore(refused);
  const isIn = who !== undefined && who !== null;
  useKeys();
  useEffect(() => {
    if (!isIn) return;
    startLive();
    return stopLive;
  }, [isIn]);
  if (who === undefined)
    return (
      <main id="main" class="alone">
        <Banner />
        {why === "" ? (
          <h1 class="unseen">Antiphon</h1>
        ) : (
          <div class="panel login">
            <h1>Antiphon</h1>
            <p class="problem" role="alert">
              {why}
            </p>
          </div>
        )}
      </main>
    );
  return (
    <>
      {who === null ? <Login /> : <Inside />}
      <Dialogs />
      <Toasts />
    </>
  );
}

function Inside(): JSX.Element {
  const place = usePlace();
  const main = useRef<HTMLElement>(null);
  const [name = "", one] = place.path;
  const address = place.path.join("/");
  const first = useRef(true);
  // A new page begins at its heading, for screen readers and keys alike.
  useEffect(() => {
    const heading = main.current?.querySelector("h1");
    document.title = `${heading?.textContent ?? "Dashboard"} · Antiphon`;
    if (first.current) return void (first.current = false);
    window.scrollTo(0, 0);
    heading?.focus({ preventScroll: true });
  }, [address]);
  const known = Object.hasOwn(PAGES, name) ? PAGES[name] : undefined;
  const Shown = one === undefined ? known?.all : known?.one;
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => void (event.preventDefault(), main.current?.focus())}>
        Skip to the page
      </a>
      <Navigation />
      <main id="main" ref={main} tabIndex={-1}>
        <Banner />
        {Shown === undefined ? (
          <>
            <h1 tabIndex={-1}>No such page</h1>
            <Empty title="There is nothing at this address">It may have been mistyped.</Empty>
          </>
        ) : (
          <Shown key={address} place={place} />
        )}
      </main>
    </>
  );
}

watchTrouble();
findSession().catch(() => {});
const root = document.getElementById("app");
if (root !== null) render(<App />, root);
