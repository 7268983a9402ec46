// What an error tracker of one's own is told: a module that ANTIPHON_ERROR_TRACKERS names, whose default export is a function of it.

export interface ReportedError {
  readonly type: string;
  readonly message: string;
  /** As in error codes. */
  readonly code?: string;
  readonly stack?: string;
  readonly cause?: ReportedError;
}

/** Plain data, without bodies and without secrets that the configuration knows. */
export interface ErrorReport {
  /** ISO 8601. */
  readonly at: string;
  /** 32 hexadecimal digits. */
  readonly id: string;
  /** What happened: `run.failed`, `run.dead`, `part.failed`, … */
  readonly event: string;
  readonly level: "warning" | "error";
  readonly error: ReportedError;
  /** Of the delivery whose run it was. Ordering keys name people, so only a hash of them is told. */
  readonly run: {
    readonly route?: string;
    /** The origin id. */
    readonly id?: string;
    readonly kind?: string;
    readonly queue?: string;
    readonly keyHash?: string;
    readonly attempt?: number;
    /** What becomes of it: another attempt, or a dead letter. */
    readonly next?: string;
    /** What a person in chat was given to read out. */
    readonly errorId?: string;
  };
  /** Where traces are made. */
  readonly trace?: { readonly traceId: string; readonly spanId: string };
  /** The part, loop or path that failed, where it was no run. */
  readonly where?: string;
  readonly about: {
    readonly version: string;
    readonly release: string;
    readonly environment: string;
    /** The pod's or machine's name. */
    readonly server: string;
    readonly mode: string;
    readonly thread?: string;
  };
}
