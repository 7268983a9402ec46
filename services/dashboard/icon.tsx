// The few signs of the page, as lines of a 24 by 24 grid. Each stands beside a word or in a button with a label.

import type { JSX } from "preact";

const PATHS = {
  now: "M3 12h4l3-8 4 16 3-8h4",
  queues: "M4 6h16M4 12h16M4 18h10",
  jobs: "M5 4h14v16H5zM9 9h6M9 13h6M9 17h3",
  workers: "M7 7h10v10H7zM10 2v3M14 2v3M10 19v3M14 19v3M2 10h3M2 14h3M19 10h3M19 14h3",
  cron: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7v5l3.5 2",
  chat: "M4 5h16v11H9l-5 4z",
  bus: "M12 12h.01M8.5 8.5a5 5 0 0 0 0 7M15.5 8.5a5 5 0 0 1 0 7M5.6 5.6a9 9 0 0 0 0 12.8M18.4 5.6a9 9 0 0 1 0 12.8",
  handlers: "M8 5l-5 7 5 7M16 5l5 7-5 7M13.5 4l-3 16",
  audit: "M6 3h9l4 4v14H6zM14 3v5h5M9 13h6M9 17h6",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M4 4l2 2M18 18l2 2M2 12h2M20 12h2M4 20l2-2M18 6l2-2",
  moon: "M20 14a8 8 0 1 1-9-11 7 7 0 0 0 9 11z",
  system: "M3 5h18v11H3zM9 20h6M12 16v4",
  help: "M9 9a3 3 0 1 1 4 2.8c-.8.4-1 1-1 2.2M12 17.5h.01M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z",
  out: "M10 4H5v16h5M15 8l4 4-4 4M19 12H9",
  pause: "M8 5v14M16 5v14",
  play: "M7 5l11 7-11 7z",
  retry: "M4 12a8 8 0 1 1 2.5 5.8M4 19v-5h5",
  bin: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  edit: "M4 20l1-4L16 5l3 3L8 19z",
  stop: "M7 7h10v10H7z",
  plus: "M12 5v14M5 12h14",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l5 5",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7v5l3.5 2",
  warn: "M12 4l9 16H3zM12 10v4M12 17h.01",
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 9h11v11H9zM15 9V4H4v11h5",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { readonly name: IconName }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
