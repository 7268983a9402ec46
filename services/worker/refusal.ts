// Why a thread could not start, as an error again: threads tell the code and the message, errors do not cross threads.

import { AntiphonError, ERROR_TABLE, type ErrorCode } from "../runtime/errors.ts";

/** The message may begin with the sentence of its code, as an AntiphonError's does. */
export function refusal(code: string, message: string): AntiphonError {
  const known: ErrorCode = Object.hasOwn(ERROR_TABLE, code) ? (code as ErrorCode) : "HANDLER_LOAD_FAILED";
  const { sentence } = ERROR_TABLE[known];
  return new AntiphonError(known, message.startsWith(sentence) ? message.slice(sentence.length).trim() : message);
}
