// What each page of the dashboard asks the API for when somebody comes to it. A test in a real browser compares the list with what
// the pages do.

export interface DashboardPage {
  readonly name: string;
  /** The fragment of its address. */
  readonly at: string;
  /** Below `api/`, all at once. */
  readonly asks: readonly string[];
}

/** Before the first page is shown, besides what that page asks for; `live` is a stream that stays. */
export const AT_FIRST = ["session", "live"] as const;

/** What there is in the bot that is looked at. */
export interface Shown {
  readonly queue: string;
  readonly job: string;
  readonly schedule: string;
}

export function dashboardPages({ queue, job, schedule }: Shown): DashboardPage[] {
  return [
    { name: "Now", at: "", asks: ["now"] },
    { name: "Queues", at: "queues", asks: ["queues?limit=200"] },
    {
      name: "one queue",
      at: `queues/${queue}`,
      asks: [`queues/${queue}`, `queues/${queue}/keys`, `queues/${queue}/history?limit=50`],
    },
    { name: "Jobs", at: "jobs", asks: ["jobs?limit=50"] },
    ...["waiting", "delayed", "dead", "finished"].map((state) => {
      return { name: `Jobs, ${state}`, at: `jobs?state=${state}`, asks: [`jobs?state=${state}&limit=50`] };
    }),
    { name: "one job", at: `jobs/${job}`, asks: [`jobs/${job}`] },
    { name: "Workers", at: "workers", asks: ["workers?limit=200", "runs?limit=200"] },
    { name: "Cron", at: "cron", asks: ["schedules?limit=200"] },
    { name: "one schedule", at: `cron/${schedule}`, asks: [`schedules/${schedule}/history`] },
    { name: "Chat", at: "chat", asks: ["chat"] },
    { name: "Bus", at: "bus", asks: ["bus"] },
    { name: "Handlers", at: "handlers", asks: ["routes?limit=200"] },
    { name: "Audit", at: "audit", asks: ["audit?limit=50"] },
  ];
}
