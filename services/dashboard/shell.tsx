// What is around every page: the navigation, what is the matter with the connection, the keys.

import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { trouble } from "./ask.ts";
import { Frame, showDialog } from "./dialog.tsx";
import { Icon, type IconName } from "./icon.tsx";
import { keysOn, listenToKeys, PAGES, switchKeys } from "./keys.ts";
import { hrefOf, usePlace } from "./link.ts";
import { live, snapshots } from "./live.ts";
import { Button } from "./parts.tsx";
import { isSignedIn, session, signOut } from "./session.ts";
import { useStore } from "./store.ts";
import { nextTheme, theme } from "./theme.ts";
import { count } from "./format.ts";
import { say } from "./toast.tsx";

const LINKS = Object.values(PAGES);

export function Navigation(): JSX.Element {
  return (
    <aside class="side">
      <a class="brand" href={hrefOf([])}>
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <rect width="32" height="32" rx="8" />
          <path d="M7 22c4-10 6-10 9 0M16 10c3 10 5 10 9 0" />
        </svg>
        Antiphon
      </a>
      <nav aria-label="Pages">
        <Links />
        <button type="button" class="more" onClick={() => showDialog((close) => <More close={close} />)}>
          <Icon name="more" />
          <span>More</span>
        </button>
      </nav>
      <div class="foot">
        <LiveSign />
        <Tools />
      </div>
    </aside>
  );
}

function Links({ onClick }: { onClick?: () => void }): JSX.Element {
  const [page = ""] = usePlace().path;
  const dead = useStore(snapshots).at(-1)?.totals.dead ?? 0;
  return (
    <ul>
      {LINKS.map(({ path, name }) => (
        <li key={path}>
          <a
            href={hrefOf(path === "" ? [] : [path])}
            {...(page === path && { "aria-current": "page" as const })}
            {...(onClick && { onClick })}
          >
            <Icon name={(path === "" ? "now" : path) as IconName} />
            <span>{name}</span>
            {path === "jobs" && dead > 0 && (
              <b class="tally" title={`${dead} dead`}>
                {count(dead)}
                <span class="unseen"> dead</span>
              </b>
            )}
          </a>
        </li>
      ))}
    </ul>
  );
}

/** On a phone: what the bar at the bottom has no room for. */
function More({ close }: { close: () => void }): JSX.Element {
  return (
    <Frame title="Pages" close={close}>
      <nav class="sheet" aria-label="All pages">
        <Links onClick={close} />
      </nav>
      <Tools />
    </Frame>
  );
}

function LiveSign(): JSX.Element {
  const state = useStore(live);
  const words = { connecting: "connecting", live: "live", lost: "not live" } as const;
  return (
    <p class={`sign ${state}`}>
      <i aria-hidden="true" /> {words[state]}
    </p>
  );
}

function Tools(): JSX.Element {
  const who = useStore(session);
  const shown = useStore(theme);
  const icon = { system: "system", light: "sun", dark: "moon" } as const;
  const leave = (): void => void signOut().catch((error: unknown) => say(String(error), { isBad: true }));
  return (
    <div class="tools">
      {who && (
        <span class="who" title={`${who.name}, ${who.role}`}>
          {who.name} <small>{who.role}</small>
        </span>
      )}
      <span class="row">
        <Button kind="quiet" role="viewer" icon={icon[shown]} label={`Colours: ${shown}. Change`} onClick={nextTheme}>
          {null}
        </Button>
        <Button kind="quiet" role="viewer" icon="help" label="Keys" onClick={showKeys}>
          {null}
        </Button>
        {who && isSignedIn(who) && (
          <Button kind="quiet" role="viewer" icon="out" label="Sign out" onClick={leave}>
            {null}
          </Button>
        )}
      </span>
    </div>
  );
}

export function useKeys(): void {
  useEffect(() => listenToKeys(showKeys), []);
}

const OTHERS: readonly (readonly [string, string])[] = [
  ["/", "search jobs"],
  ["j, k", "next row, row before"],
  ["Enter", "open the row"],
  ["r", "read again"],
  ["d", "dark, light, as the system"],
  ["Esc", "close"],
  ["?", "this list"],
];

function showKeys(): void {
  showDialog((close) => <Keys close={close} />);
}

function Keys({ close }: { close: () => void }): JSX.Element {
  const isOn = useStore(keysOn);
  return (
    <Frame title="Keys" close={close}>
      <dl class="keys">
        {Object.entries(PAGES).map(([key, { name }]) => (
          <div key={key}>
            <dt>
              <kbd>g</kbd> <kbd>{key}</kbd>
            </dt>
            <dd>{name}</dd>
          </div>
        ))}
        {OTHERS.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <label class="row">
        <input type="checkbox" checked={isOn} onChange={(event) => switchKeys(event.currentTarget.checked)} />
        Single letters do something
      </label>
    </Frame>
  );
}

const BANNERS = {
  redis: "Redis is away. What you see is from before; this page goes on by itself as soon as Redis answers.",
  server: "The server does not answer. This page goes on by itself as soon as it does.",
} as const;

export function Banner(): JSX.Element {
  const what = useStore(trouble);
  const snapshot = useStore(snapshots).at(-1);
  const isKnown = what === "redis" || what === "server";
  return (
    <div role="alert" class="banners">
      {isKnown && (
        <p class="banner bad">
          <Icon name="warn" /> {BANNERS[what]}
        </p>
      )}
      {!isKnown && snapshot?.redis.ok === false && (
        <p class="banner warn">
          <Icon name="warn" /> Redis: {snapshot.redis.detail}
        </p>
      )}
    </div>
  );
}
