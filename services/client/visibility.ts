// Whether somebody sees this page, and whether pages that nobody sees have just asked.

const LAST = "__mbLastAjax";

export function isHidden(): boolean {
  return Boolean(globalThis.document?.hidden);
}

/** For all pages of the origin, those with MessageBus' own client too. */
export function noteRequest(): void {
  withStorage((storage) => storage.setItem(LAST, String(Date.now())));
}

/** Another page has asked less than `ms` ago. */
export function askedWithin(ms: number): boolean {
  const ago = Date.now() - Number(withStorage((storage) => storage.getItem(LAST)));
  return ago >= 0 && ago < ms;
}

/** A browser may refuse it. */
function withStorage<T>(use: (storage: Storage) => T): T | undefined {
  try {
    return use(localStorage);
  } catch {
    return undefined;
  }
}
