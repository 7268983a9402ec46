// Shifts the wall clock of a process and all its threads by SHIFT_MS; loaded by `--import` before anything else.

const shiftMs = Number(process.env["SHIFT_MS"]);
const RealDate = Date;
const now = RealDate.now;

globalThis.Date = class extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(now() + shiftMs);
    else super(...args);
  }

  static now() {
    return now() + shiftMs;
  }
};
