// For each alert of the chart: series that are its cause, when it fires and when not yet.

export interface AlertCase {
  /** Series in the notation of promtool, a value a minute; labels of the release are added. */
  readonly series: Readonly<Record<string, string>>;
  /** Minutes after which it fires, and at which it does not yet. */
  readonly firesAt: number;
  readonly quietAt: number;
  /** Of the alert, besides the namespace. */
  readonly labels: Readonly<Record<string, string>>;
}

export const ALERT_CASES: Readonly<Record<string, AlertCase>> = {
  AntiphonBacklogGrows: {
    series: { 'antiphon_queue_oldest_age_seconds{queue="default"}': "0x2 60+60x30" },
    firesAt: 15,
    quietAt: 6,
    labels: { queue: "default" },
  },
  AntiphonDeadLetters: {
    series: { 'antiphon_queue_depth{queue="default",state="dead"}': "4x20 5x20" },
    firesAt: 24,
    quietAt: 20,
    labels: { queue: "default" },
  },
  AntiphonQueueUnserved: {
    series: { 'antiphon_queue_unserved{queue="video"}': "0x4 1x10" },
    firesAt: 8,
    quietAt: 6,
    labels: { queue: "video" },
  },
  AntiphonTooFewWorkers: {
    series: { 'antiphon_workers_required{pool="default"}': "2x4 9x30", 'antiphon_workers{pool="default"}': "2x4 4x30" },
    firesAt: 22,
    quietAt: 15,
    labels: { pool: "default" },
  },
  AntiphonSilent: { series: { up: "1x3" }, firesAt: 6, quietAt: 4, labels: {} },
  AntiphonNoLeader: {
    series: { 'antiphon_leader{unit="irc"}': "1x5 0x10", 'antiphon_leader{unit="control"}': "1x20" },
    firesAt: 8,
    quietAt: 5,
    labels: { unit: "irc" },
  },
  AntiphonNoMaster: { series: { up: "1x3" }, firesAt: 6, quietAt: 4, labels: {} },
  AntiphonLeasesFlap: {
    series: {
      'antiphon_leader_transitions_total{unit="irc",reason="acquired"}': "1x10 2+1x30",
      'antiphon_leader_transitions_total{unit="control",reason="acquired"}': "1x10 2x30",
    },
    firesAt: 25,
    quietAt: 12,
    labels: { unit: "irc" },
  },
  AntiphonOutboxStuck: {
    series: { 'antiphon_outbox_oldest_age_seconds{unit="irc"}': "0x3 60+60x20" },
    firesAt: 12,
    quietAt: 6,
    labels: { unit: "irc" },
  },
  AntiphonChatAway: {
    series: { 'antiphon_gateway_ready{unit="irc"}': "1x3 0x20" },
    firesAt: 12,
    quietAt: 7,
    labels: { unit: "irc" },
  },
  AntiphonBusGaps: { series: { antiphon_bus_gaps_total: "0x5 10+10x30" }, firesAt: 20, quietAt: 6, labels: {} },
  AntiphonRedisAway: {
    series: { 'antiphon_redis_up{connection="commands"}': "1x3 0x10", 'antiphon_redis_up{connection="bells"}': "1x20" },
    firesAt: 8,
    quietAt: 4,
    labels: { pod: "antiphon-worker-1" },
  },
  AntiphonPodNotReady: {
    series: { 'kube_pod_status_ready{condition="false"}': "0x3 1x30" },
    firesAt: 20,
    quietAt: 10,
    labels: { pod: "antiphon-worker-1" },
  },
};
