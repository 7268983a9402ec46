// Audit: who did what. New entries appear as they are made.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { AuditEntry } from "../../admin/api-bot.ts";
import { get } from "../ask.ts";
import { useFetched } from "../fetched.ts";
import { audits } from "../live.ts";
import { Badge, Loaded, Panel } from "../parts.tsx";
import { useStore } from "../store.ts";
import { Table } from "../table.tsx";
import { Time } from "../time.tsx";
import { say } from "../toast.tsx";

interface Page {
  readonly items: readonly AuditEntry[];
  readonly cursor?: string;
}

const LIMIT = 50;

export function Audit(): JSX.Element {
  const fetched = useFetched<Page>("audit", { limit: LIMIT });
  const heard = useStore(audits);
  const [older, setOlder] = useState<Page | undefined>();
  useEffect(() => fetched.again(), [heard]);
  const more = (cursor: string): void =>
    void get<Page>("audit", { limit: LIMIT, cursor }).then(
      (page) => setOlder({ ...page, items: [...(older?.items ?? []), ...page.items] }),
      (error: unknown) => say(String(error), { isBad: true }),
    );
  return (
    <>
      <header class="head">
        <h1 tabIndex={-1}>Audit</h1>
      </header>
      <Panel title="Who did what">
        <Loaded of={fetched}>
          {(page) => {
            const all = new Map([...page.items, ...(older?.items ?? [])].map((entry) => [entry.id, entry]));
            const { cursor } = older ?? page;
            return (
              <>
                <List rows={[...all.values()]} />
                {cursor !== undefined && (
                  <footer class="row foot-row">
                    <button type="button" class="push" onClick={() => more(cursor)}>
                      Older
                    </button>
                  </footer>
                )}
              </>
            );
          }}
        </Loaded>
      </Panel>
    </>
  );
}

function List({ rows }: { rows: readonly AuditEntry[] }): JSX.Element {
  return (
    <Table
      label="Who did what, the latest first"
      rows={rows}
      keyOf={({ id }) => id}
      empty="Nobody has changed anything yet"
      columns={[
        { name: "When", cell: ({ at }) => <Time at={at} /> },
        {
          name: "Who",
          cell: ({ who, role }) => (
            <>
              {who} <small class="muted">{role}</small>
            </>
          ),
        },
        { name: "Did", cell: ({ action }) => <code>{action}</code> },
        {
          name: "To",
          kind: "fill",
          cell: ({ target }) => (
            <span class="clip" title={target}>
              {target}
            </span>
          ),
        },
        {
          name: "Outcome",
          kind: "wide",
          cell: ({ status }) => <Outcome status={status} />,
        },
        { name: "From", kind: "wide", cell: ({ from }) => <span class="mono">{from}</span> },
      ]}
    />
  );
}

/** None: nobody can say any more what came of it. */
function Outcome({ status }: { status: number }): JSX.Element {
  if (status === 0) return <Badge tone="warn">unknown</Badge>;
  return <Badge tone={status < 400 ? "good" : "bad"}>{status < 400 ? "done" : `refused, ${status}`}</Badge>;
}
