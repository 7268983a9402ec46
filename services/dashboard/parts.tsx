// What pages are made of: panels, figures, badges, buttons, and what is shown where there is nothing.

import type { ComponentChildren, JSX } from "preact";
import type { Role } from "../admin/api.ts";
import { Refusal } from "./ask.ts";
import type { Fetched } from "./fetched.ts";
import { Icon, type IconName } from "./icon.tsx";
import { hrefOf } from "./link.ts";
import { session } from "./session.ts";
import { may } from "./session.ts";
import { useStore } from "./store.ts";
import { say } from "./toast.tsx";

interface PanelProps {
  readonly title: string;
  readonly more?: ComponentChildren;
  readonly children: ComponentChildren;
  readonly class?: string;
}

export function Panel({ title, more, children, class: name = "" }: PanelProps): JSX.Element {
  return (
    <section class={`panel ${name}`}>
      <header class="row">
        <h2>{title}</h2>
        {more !== undefined && <div class="push row">{more}</div>}
      </header>
      {children}
    </section>
  );
}

export type Tone = "plain" | "good" | "warn" | "bad" | "accent";

export function Badge({ tone = "plain", children }: { tone?: Tone; children: ComponentChildren }): JSX.Element {
  return <span class={`badge ${tone}`}>{children}</span>;
}

interface FigureProps {
  readonly name: string;
  readonly value: string;
  readonly note?: ComponentChildren;
  readonly tone?: Tone;
  readonly href?: string;
}

export function Figure({ name, value, note, tone = "plain", href }: FigureProps): JSX.Element {
  const inside = (
    <>
      <span class="name">{name}</span>
      <span class={`value ${tone}`}>{value}</span>
      <span class="note">{note}</span>
    </>
  );
  return href === undefined ? (
    <div class="figure">{inside}</div>
  ) : (
    <a class="figure" href={href}>
      {inside}
    </a>
  );
}

interface ButtonProps {
  readonly icon?: IconName;
  readonly children: ComponentChildren;
  readonly onClick: () => void;
  readonly kind?: "primary" | "danger" | "quiet";
  /** Of an icon alone, or where the word alone does not say of what. */
  readonly label?: string;
  /** Who may; others do not see it. Default: operators. */
  readonly role?: Role;
  readonly disabled?: boolean;
}

export function Button({
  icon,
  children,
  onClick,
  kind,
  label,
  role = "operator",
  disabled,
}: ButtonProps): JSX.Element | null {
  useStore(session);
  if (!may(role)) return null;
  return (
    <button
      type="button"
      class={kind ?? ""}
      onClick={onClick}
      disabled={disabled === true}
      {...(label !== undefined && { "aria-label": label, title: label })}
    >
      {icon && <Icon name={icon} />}
      {children !== null && <span class="word">{children}</span>}
    </button>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }): JSX.Element {
  return (
    <div class="empty">
      <strong>{title}</strong>
      {children && <p>{children}</p>}
    </div>
  );
}

export function Problem({ error, again }: { error: Error; again?: () => void }): JSX.Element {
  const code = error instanceof Refusal ? error.code : "";
  return (
    <div class="empty problem" role="alert">
      <strong>{code === "REDIS_UNAVAILABLE" ? "Redis is away" : "This could not be read"}</strong>
      <p>{error.message}</p>
      {again && (
        <button type="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}

interface LoadedProps<T> {
  readonly of: Fetched<T>;
  readonly children: (data: T) => ComponentChildren;
}

/** What was read; until then, or without it, what is the case. Old data stays while Redis is away. */
export function Loaded<T>({ of, children }: LoadedProps<T>): JSX.Element {
  if (of.data !== undefined) return <>{children(of.data)}</>;
  if (of.error !== undefined) return <Problem error={of.error} again={of.again} />;
  return (
    <div class="loading" role="status" aria-label="Loading">
      <i />
      <i />
      <i />
    </div>
  );
}

export function Copy({ text, what }: { text: string; what: string }): JSX.Element {
  const copy = (): void => {
    navigator.clipboard.writeText(text).then(
      () => say(`The ${what} is in the clipboard`),
      () => say("The browser does not let this page write to the clipboard", { isBad: true }),
    );
  };
  return (
    <button type="button" class="quiet" onClick={copy} aria-label={`Copy the ${what}`} title={`Copy the ${what}`}>
      <Icon name="copy" />
    </button>
  );
}

// Links between the pages.

export function QueueLink({ name }: { name: string }): JSX.Element {
  return <a href={hrefOf(["queues", name])}>{name}</a>;
}

export function RouteLink({ id }: { id: string | undefined }): JSX.Element {
  if (id === undefined || id === "") return <span class="muted">–</span>;
  return <a href={hrefOf(["handlers"], { route: id })}>{id}</a>;
}

export function JobLink({ id, short }: { id: string; short?: boolean }): JSX.Element {
  return (
    <a class="mono" href={hrefOf(["jobs", id])} title={id}>
      {short === true && id.length > 12 ? `${id.slice(0, 12)}…` : id}
    </a>
  );
}

/** `pod`: of a worker's id in a queue, which has something random at its end, too. */
export function WorkerLink({ pod }: { pod: string }): JSX.Element {
  return <a href={hrefOf(["workers"], { pod })}>{pod}</a>;
}
