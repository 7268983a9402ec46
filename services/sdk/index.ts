// The public API on one screen: what `import … from "antiphon"` gives.

export type { ErrorReport, ReportedError } from "./error-report.ts";
export { defineBus } from "./bus.ts";
export { defineHandler, event, job } from "./handler.ts";
export { defineMiddleware } from "./middleware.ts";
export { discard, done, fail, retryLater } from "./outcome.ts";

export type { Capability } from "./adapter.ts";
export type {
  BusAnswer,
  BusAuthorize,
  BusCodec,
  BusCors,
  BusDefinition,
  BusIdentity,
  BusRequest,
  BusRules,
} from "./bus.ts";
export type {
  Bot,
  ChatCtx,
  CommandInfo,
  Ctx,
  DeliveryInfo,
  EnqueueOptions,
  Event,
  Expires,
  GroupChange,
  GroupInfo,
  Groups,
  Id,
  Job,
  Log,
  MetricLabels,
  Metrics,
  Members,
  PublishOptions,
  Queued,
  SpanAttributes,
  ReplyOptions,
  RouteInfo,
  SayOptions,
  Sent,
  Store,
  ToEnqueue,
  Unique,
} from "./context.ts";
export type { Duration } from "./duration.ts";
export type { Handler } from "./handler.ts";
export type { Fields, In, Out, PathParams, PatternArgs, Schema } from "./infer.ts";
export type { Message, Person, Room } from "./message.ts";
export type {
  EnqueueCall,
  EnqueueChange,
  EnqueuedIds,
  EnqueueMiddleware,
  Meta,
  Middleware,
  RunMiddleware,
  RunningCtx,
} from "./middleware.ts";
export type { ChatKey, HttpVerb, RateOptions, RequestInfo, Route, Routes, Run, SignatureFormat } from "./options.ts";
export type {
  JobChange,
  JobDetails,
  JobEdited,
  JobFilter,
  JobInfo,
  JobPage,
  Jobs,
  JobsChosen,
  JobSearch,
  JobState,
  JobTime,
  PauseOptions,
  QueueControls,
  QueueDepths,
  QueueLimitOptions,
} from "./operations.ts";
export type { NewSchedule, ScheduleChange, ScheduleControls, ScheduleInfo, ScheduleTimes } from "./schedules.ts";
export type { PlaceOptions, PriorityClass } from "./place.ts";
export type { Discard, Done, Fail, RetryLater, RunOutcome } from "./outcome.ts";
export type { Backoff, ErrorClass, NoRetry, RetryFunction, RetryPolicy, Steady } from "./retry.ts";
