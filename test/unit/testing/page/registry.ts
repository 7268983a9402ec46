// Stands for whatever a handler talks to outside; the tests on the page replace it.

export function push(app: string, key: string): Promise<string> {
  throw new Error(`${app} (${key}) is not to be pushed by a test`);
}
