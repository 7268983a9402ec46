// The ordering keys of a queue: where most waits, and what holds them up.

import type { JSX } from "preact";
import type { KeyRow, Keys as KeysAnswer } from "../../admin/api.ts";
import { act } from "../act.ts";
import { part } from "../ask.ts";
import { useFetched } from "../fetched.ts";
import { count, wholeCount } from "../format.ts";
import { hrefOf } from "../link.ts";
import { Badge, Button, Loaded, Panel, type Tone } from "../parts.tsx";
import { Table } from "../table.tsx";
import { Time } from "../time.tsx";

const TONES: Readonly<Record<KeyRow["state"], Tone>> = {
  ready: "plain",
  running: "good",
  paused: "warn",
  delayed: "accent",
};

export function Keys({ queue }: { queue: string }): JSX.Element {
  const fetched = useFetched<KeysAnswer>(`queues/${part(queue)}/keys`);
  return (
    <Loaded of={fetched}>
      {({ hottest, blocked, looked, keys }) =>
        keys === 0 ? null : (
          <div class="columns">
            <Panel
              title="Hottest keys"
              more={
                <span class="note">{looked < keys ? `of ${wholeCount(looked)} of ${wholeCount(keys)} keys` : ""}</span>
              }
            >
              <List label="Hottest keys" queue={queue} rows={hottest} empty="No key has anything waiting" />
            </Panel>
            <Panel title="Blocked keys">
              <List label="Blocked keys" queue={queue} rows={blocked} empty="No key is held up" />
            </Panel>
          </div>
        )
      }
    </Loaded>
  );
}

interface ListProps {
  readonly label: string;
  readonly queue: string;
  readonly rows: readonly KeyRow[];
  readonly empty: string;
}

function List({ label, queue, rows, empty }: ListProps): JSX.Element {
  return (
    <Table
      label={label}
      rows={rows}
      keyOf={({ key }) => key}
      empty={empty}
      columns={[
        {
          name: "Key",
          kind: "fill",
          cell: ({ key }) => (
            <a class="mono clip" href={hrefOf(["jobs"], { queue, key })} title={key} data-row>
              {key}
            </a>
          ),
        },
        { name: "Waiting", kind: "number", cell: ({ waiting }) => count(waiting) },
        {
          name: "State",
          cell: ({ state, until }) => (
            <>
              <Badge tone={TONES[state]}>{state}</Badge> {until && <Time at={until} />}
            </>
          ),
        },
        {
          name: "Actions",
          kind: "actions",
          cell: ({ key, state }) => (
            <Button
              icon={state === "paused" ? "play" : "pause"}
              label={`${state === "paused" ? "Resume" : "Pause"} the key ${key}`}
              onClick={() =>
                act({
                  path: `queues/${part(queue)}/${state === "paused" ? "resume" : "pause"}`,
                  body: { key },
                  done: state === "paused" ? `${key} goes on` : `${key} is paused`,
                })
              }
            >
              {state === "paused" ? "Resume" : "Pause"}
            </Button>
          ),
        },
      ]}
    />
  );
}
