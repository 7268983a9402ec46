// Signing in, where this browser is not known.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { signIn } from "../session.ts";
import { Banner } from "../shell.tsx";

export function Login(): JSX.Element {
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);
  const submit = async (form: HTMLFormElement): Promise<void> => {
    setBusy(true);
    setProblem("");
    await signIn(String(new FormData(form).get("token"))).catch((error: unknown) => {
      setProblem(error instanceof Error ? error.message : String(error));
      setBusy(false);
    });
  };
  return (
    <main id="main" class="alone">
      <Banner />
      <form
        class="panel login"
        onSubmit={(event) => {
          event.preventDefault();
          void submit(event.currentTarget);
        }}
      >
        <h1>Antiphon</h1>
        <label>
          Token
          <input name="token" type="password" autocomplete="current-password" required autofocus />
        </label>
        <p class="problem" role="alert">
          {problem}
        </p>
        <button type="submit" class="primary" disabled={isBusy}>
          Sign in
        </button>
        <p class="note">
          The token is the setting <code>ANTIPHON_ADMIN_TOKEN</code>, or one of <code>ANTIPHON_ADMIN_TOKENS</code>.
        </p>
      </form>
    </main>
  );
}
