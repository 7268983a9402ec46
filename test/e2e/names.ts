// The scenarios of the full form.

export const NAMES: Readonly<Record<string, string>> = {
  objects: "all that the chart renders, taken by the API server",
  install: "from nothing to an answer",
  newcomer: "the transcript of docs/operators/install.md",
  upgrade: "helm upgrade of 10 workers and 3 masters under load",
  "masters-first": "the same, masters first on purpose",
  jobs: "jobs of 1 to 120 s through rollouts",
  backlog: "5,000 jobs: 2 workers to 10 and back",
  pools: "a flood for one pool",
  kills: "random kills for two minutes",
  irc: "a conversation on IRC through an upgrade",
  volume: "the bundled Redis deleted",
  broken: "a deploy that cannot work",
  "api-load": "calls to the API server at rest",
  hpa: "a HorizontalPodAutoscaler on our own metrics API",
  spread: "where pods are put (three nodes)",
  drain: "kubectl drain of each node in turn (three nodes)",
  cut: "the leader's node cut off for a minute (three nodes, E2E_CUT)",
  skaffold: "what skaffold would build, deploy and sync (docker, E2E_LOAD)",
};
