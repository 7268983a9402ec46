// Handlers: every route, what makes it run, who may, and a switch that holds it back everywhere.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Route } from "../../admin/api-bot.ts";
import { act, perform } from "../act.ts";
import { part } from "../ask.ts";
import { confirm } from "../dialog.tsx";
import { useFetched } from "../fetched.ts";
import { duration } from "../format.ts";
import { hrefOf, type PageProps } from "../link.ts";
import { Badge, Button, Loaded, Panel } from "../parts.tsx";
import { Table } from "../table.tsx";

export function Handlers({ place }: PageProps): JSX.Element {
  const fetched = useFetched<{ items: Route[]; cursor?: string }>("routes", { limit: 200 });
  const [words, setWords] = useState(place.query["route"] ?? "");
  return (
    <>
      <header class="head">
        <h1 tabIndex={-1}>Handlers</h1>
        <form role="search" class="push" onSubmit={(event) => event.preventDefault()}>
          <label class="row">
            <span class="unseen">Find a route</span>
            <input
              type="search"
              data-search=""
              placeholder="Find a route"
              value={words}
              onInput={(event) => setWords(event.currentTarget.value)}
            />
          </label>
        </form>
      </header>
      <Loaded of={fetched}>{({ items }) => <List rows={items.filter((route) => fits(route, words))} />}</Loaded>
    </>
  );
}

function fits({ id, help = "", on = "", kind = "" }: Route, words: string): boolean {
  const text = `${id} ${help} ${on} ${kind}`.toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function List({ rows }: { rows: readonly Route[] }): JSX.Element {
  // One's own first.
  const rank = (routes: readonly Route[]): string =>
    `${routes.some(({ builtin }) => builtin) ? 1 : 0}${routes[0]?.handler}`;
  const handlers = [...Map.groupBy(rows, ({ handler }) => handler)].sort(([, a], [, b]) =>
    rank(a) < rank(b) ? -1 : 1,
  );
  if (handlers.length === 0)
    return <Table label="Routes" rows={[]} columns={[]} keyOf={() => ""} empty="No route fits" />;
  return (
    <>
      {handlers.map(([handler, routes]) => (
        <Panel
          key={handler}
          title={handler}
          more={routes.some(({ builtin }) => builtin) ? <Badge>built in</Badge> : undefined}
        >
          <Table
            label={`Routes of ${handler}`}
            rows={routes}
            keyOf={({ id }) => id}
            empty="No route"
            columns={[
              { name: "Route", cell: (route) => <Name route={route} /> },
              { name: "Kind", cell: ({ kind }) => kind ?? <span class="muted">no worker has it</span> },
              { name: "On", kind: "fill", cell: ({ on, help }) => <On on={on} help={help} /> },
              {
                name: "Who may",
                kind: "wide",
                cell: ({ restrictTo }) => (restrictTo === undefined ? "everybody" : restrictTo.join(", ")),
              },
              { name: "Attempts", kind: "wide number", cell: ({ attempts }) => attempts ?? "–" },
              {
                name: "Timeout",
                kind: "wide number",
                cell: ({ timeoutMs }) => (timeoutMs === undefined ? "–" : duration(timeoutMs)),
              },
              { name: "Actions", kind: "actions", cell: (route) => <Switch route={route} /> },
            ]}
          />
        </Panel>
      ))}
    </>
  );
}

function Name({ route: { id, disabled, pausedIn } }: { route: Route }): JSX.Element {
  return (
    <>
      <a href={hrefOf(["jobs"], { route: id })} data-row>
        {id}
      </a>{" "}
      {disabled && <Badge tone="bad">off</Badge>}
      {!disabled && pausedIn.length > 0 && (
        <Badge tone="warn">paused in {pausedIn.map(({ queue }) => queue).join(", ")}</Badge>
      )}
    </>
  );
}

function On({ on, help }: { on: string | undefined; help: string | undefined }): JSX.Element {
  return (
    <span class="about">
      {on !== undefined && (
        <code class="clip" title={on}>
          {on}
        </code>
      )}
      {help !== undefined && (
        <span class="clip muted" title={help}>
          {help}
        </span>
      )}
    </span>
  );
}

function Switch({ route: { id, disabled, pausedIn } }: { route: Route }): JSX.Element {
  const path = `routes/${part(id)}`;
  if (disabled || pausedIn.length > 0)
    return (
      <Button
        icon="play"
        label={`Switch on ${id}`}
        onClick={() => act({ path: `${path}/enable`, done: `${id} is on` })}
      >
        Switch on
      </Button>
    );
  const off = (): void =>
    confirm({
      title: `Switch ${id} off?`,
      text: "Nothing of it begins in any queue until it is switched on; what runs runs on; nothing is lost.",
      verb: "Switch off",
      act: async () => void (await perform({ path: `${path}/disable`, done: `${id} is off` })),
    });
  return (
    <Button icon="stop" label={`Switch off ${id}`} onClick={off}>
      Switch off
    </Button>
  );
}
