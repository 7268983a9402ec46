{{/* The pods of both modes. Called with a dict: root, component, own (the values of master or of a pool), pool. */}}

{{- define "antiphon.podTemplate" -}}
{{- $root := .root -}}{{- $own := .own -}}{{- $all := .root.Values -}}
metadata:
  labels:
    {{- with merge (dict) ($own.podLabels | default dict) ($all.podLabels | default dict) }}
    {{- tpl (toYaml .) $root | nindent 4 }}
    {{- end }}
    {{- include "antiphon.podSelector" . | nindent 4 }}
    {{- if and .pool $own.behindService }}
    antiphon.dev/http: "true"
    {{- end }}
    {{- include "antiphon.podMarks" $root | nindent 4 }}
  annotations:
    kubectl.kubernetes.io/default-container: antiphon
    {{- include "antiphon.checksums" $root | nindent 4 }}
    {{- with merge (dict) ($own.podAnnotations | default dict) ($all.podAnnotations | default dict) }}
    {{- tpl (toYaml .) $root | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "antiphon.serviceAccount" . }}
  automountServiceAccountToken: {{ $own.serviceAccount.automount }}
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ $own.terminationGracePeriodSeconds | default (add (int $own.drainSeconds) 15) }}
  securityContext:
    {{- get (include "antiphon.pick" (list $own $all "podSecurityContext") | fromJson) "value" | toYaml | nindent 4 }}
  {{- include "antiphon.placement" . | nindent 2 }}
  {{- with concat ($all.initContainers | default list) ($own.initContainers | default list) }}
  initContainers:
    {{- tpl (toYaml .) $root | nindent 4 }}
  {{- end }}
  containers:
    - name: antiphon
      image: {{ include "antiphon.image" (list $all.image $root.Chart.AppVersion) }}
      imagePullPolicy: {{ $all.image.pullPolicy }}
      args: [{{ .component }}]
      env:
        {{- include "antiphon.commonEnv" $root | nindent 8 }}
        {{- include (printf "antiphon.%sEnv" .component) . | nindent 8 }}
        {{- include "antiphon.adapterEnv" (list $root .component) | indent 8 }}
        {{- with concat ($all.extraEnv | default list) ($own.extraEnv | default list) }}
        {{- tpl (toYaml .) $root | nindent 8 }}
        {{- end }}
      {{- $envFrom := concat ($all.extraEnvFrom | default list) ($own.extraEnvFrom | default list) }}
      {{- if $all.handlers.existingSecret }}
      {{- $envFrom = prepend $envFrom (dict "secretRef" (dict "name" $all.handlers.existingSecret)) }}
      {{- end }}
      {{- with $envFrom }}
      envFrom:
        {{- tpl (toYaml .) $root | nindent 8 }}
      {{- end }}
      {{- include "antiphon.ports" . | nindent 6 }}
      {{- include "antiphon.probes" $own | nindent 6 }}
      {{- include "antiphon.lifecycle" . | nindent 6 }}
      resources:
        {{- toYaml $own.resources | nindent 8 }}
      securityContext:
        {{- get (include "antiphon.pick" (list $own $all "securityContext") | fromJson) "value" | toYaml | nindent 8 }}
      volumeMounts:
        {{- include "antiphon.volumeMounts" . | nindent 8 }}
    {{- with concat ($all.extraContainers | default list) ($own.extraContainers | default list) }}
    {{- tpl (toYaml .) $root | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "antiphon.volumes" . | nindent 4 }}
{{- end -}}

{{- define "antiphon.podSelector" -}}
{{- if .pool -}}
{{- include "antiphon.selector" (list .root .component .pool) -}}
{{- else -}}
{{- include "antiphon.selector" (list .root .component) -}}
{{- end -}}
{{- end -}}

{{- define "antiphon.masterEnv" -}}
- name: ANTIPHON_REVISION
  valueFrom:
    fieldRef:
      fieldPath: metadata.labels['pod-template-hash']
{{- with include "antiphon.scaleTargets" .root }}
- name: ANTIPHON_SCALE_TARGETS
  value: {{ . | quote }}
{{- end }}
{{- if .root.Values.externalMetrics.apiService.enabled }}
- name: ANTIPHON_METRICS_API_PORT
  value: "6443"
- name: ANTIPHON_METRICS_API_CERTIFICATE
  value: /etc/antiphon/metrics-api
{{- end }}
{{- end -}}

{{- define "antiphon.workerEnv" -}}
- name: ANTIPHON_POOL
  value: {{ .pool | quote }}
- name: ANTIPHON_DRAIN_MS
  value: {{ mul (int .own.drainSeconds) 1000 | quote }}
{{- with .own.queues }}
- name: ANTIPHON_QUEUES
  value: {{ . | quote }}
{{- end }}
{{- with .own.tags }}
- name: ANTIPHON_TAGS
  value: {{ . | quote }}
{{- end }}
{{- with .own.threads }}
- name: ANTIPHON_WORKER_THREADS
  value: {{ int . | quote }}
{{- end }}
{{- with .own.concurrency }}
- name: ANTIPHON_WORKER_CONCURRENCY
  value: {{ int . | quote }}
{{- end }}
{{- end -}}

{{- define "antiphon.ports" -}}
ports:
  {{- if .pool }}
  - name: http
    containerPort: 8080
    protocol: TCP
  {{- end }}
  - name: admin
    containerPort: 9090
    protocol: TCP
  {{- if and (not .pool) .root.Values.externalMetrics.apiService.enabled }}
  - name: metrics-api
    containerPort: 6443
    protocol: TCP
  {{- end }}
{{- end -}}

{{/* Liveness never asks for Redis; readiness stays through its outages, so that senders hear a 503 and no refusal. */}}
{{- define "antiphon.probes" -}}
startupProbe:
  httpGet: { path: /livez, port: admin }
  {{- toYaml .startupProbe | nindent 2 }}
livenessProbe:
  httpGet: { path: /livez, port: admin }
  {{- toYaml .livenessProbe | nindent 2 }}
readinessProbe:
  httpGet: { path: "/readyz?serving", port: admin }
  {{- toYaml .readinessProbe | nindent 2 }}
{{- end -}}

{{/* Nothing orders the end of an endpoint before SIGTERM: whoever receives requests waits a little first. */}}
{{- define "antiphon.lifecycle" -}}
{{- if .own.lifecycle -}}
lifecycle:
  {{- tpl (toYaml .own.lifecycle) .root | nindent 2 }}
{{- else if or .pool .root.Values.externalMetrics.apiService.enabled -}}
lifecycle:
  preStop:
    {{- if include "antiphon.knowsSleep" .root }}
    sleep:
      seconds: 5
    {{- else }}
    exec:
      command: [node, -e, "setTimeout(() => {}, 5000)"]
    {{- end }}
{{- end -}}
{{- end -}}

{{- define "antiphon.volumeMounts" -}}
{{- $all := .root.Values -}}
- name: tmp
  mountPath: /tmp
- name: settings
  mountPath: /etc/antiphon/settings
  readOnly: true
{{- if $all.handlers.inline }}
- name: handlers-inline
  mountPath: /etc/antiphon/handlers/inline
  readOnly: true
{{- end }}
{{- if $all.handlers.configMap }}
- name: handlers-configmap
  mountPath: /etc/antiphon/handlers/configmap
  readOnly: true
{{- end }}
{{- if and (not .pool) $all.externalMetrics.apiService.enabled }}
- name: metrics-api
  mountPath: /etc/antiphon/metrics-api
  readOnly: true
{{- end }}
{{- with concat ($all.extraVolumeMounts | default list) (.own.extraVolumeMounts | default list) }}
{{ tpl (toYaml .) $.root }}
{{- end }}
{{- end -}}

{{- define "antiphon.volumes" -}}
{{- $all := .root.Values -}}{{- $full := include "antiphon.fullname" .root -}}
- name: tmp
  emptyDir: {}
{{ include "antiphon.settingsVolume" .root }}
{{- if $all.handlers.inline }}
- name: handlers-inline
  configMap:
    name: {{ $full }}-handlers
{{- end }}
{{- if $all.handlers.configMap }}
- name: handlers-configmap
  configMap:
    name: {{ $all.handlers.configMap }}
{{- end }}
{{- if and (not .pool) $all.externalMetrics.apiService.enabled }}
- name: metrics-api
  secret:
    secretName: {{ include "antiphon.metricsApiSecret" .root }}
{{- end }}
{{- with concat ($all.extraVolumes | default list) (.own.extraVolumes | default list) }}
{{ tpl (toYaml .) $.root }}
{{- end }}
{{- end -}}

{{/* Where a pod may run. Without a word of the user, pods of one kind spread over nodes and zones where that is possible. */}}
{{- define "antiphon.placement" -}}
{{- $root := .root -}}{{- $own := .own -}}{{- $all := .root.Values -}}
{{- $spread := get (include "antiphon.pick" (list $own $all "topologySpreadConstraints") | fromJson) "value" -}}
{{- $keys := list "imagePullSecrets" "nodeSelector" "tolerations" "affinity" "priorityClassName" "runtimeClassName" "schedulerName" "hostUsers" "hostAliases" "dnsPolicy" "dnsConfig" -}}
{{- range $key := $keys -}}
{{- $value := get (include "antiphon.pick" (list $own $all $key) | fromJson) "value" -}}
{{- if or $value (kindIs "bool" $value) }}
{{ tpl (toYaml (dict $key $value)) $root }}
{{- end -}}
{{- end }}
{{- if not (get (include "antiphon.pick" (list $own $all "affinity") | fromJson) "value") }}
{{- /* Zones by affinity: a spread constraint on a label that nodes lack would switch the one on nodes off too. */}}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 50
        podAffinityTerm:
          topologyKey: topology.kubernetes.io/zone
          labelSelector:
            matchLabels:
              {{- include "antiphon.podSelector" $ | nindent 14 }}
{{- end }}
{{- if kindIs "invalid" $spread }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "antiphon.podSelector" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
{{- else if $spread }}
topologySpreadConstraints:
  {{- tpl (toYaml $spread) $root | nindent 2 }}
{{- end }}
{{- end -}}
