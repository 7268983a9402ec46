{{/* The settings of the processes: variables, the settings file, secrets. */}}

{{- define "antiphon.adapterNames" -}}
{{- $names := list -}}
{{- range $name, $adapter := .Values.adapters -}}
{{- if and $adapter $adapter.enabled }}{{ $names = append $names $name }}{{ end -}}
{{- end -}}
{{- join "," $names -}}
{{- end -}}

{{/* YAML: `config`, and the `config` of each adapter that is on. */}}
{{- define "antiphon.settingsFile" -}}
{{- $settings := deepCopy (.Values.config | default dict) -}}
{{- $adapters := dict -}}
{{- range $name, $adapter := .Values.adapters -}}
{{- if and $adapter $adapter.enabled }}{{ $_ := set $adapters $name ($adapter.config | default dict) }}{{ end -}}
{{- end -}}
{{- $_ := set $settings "adapters" $adapters -}}
{{- toYaml $settings -}}
{{- end -}}

{{- define "antiphon.settingsPath" -}}
/etc/antiphon/settings/{{ if .Values.settingsSecret.name }}{{ .Values.settingsSecret.key }}{{ else }}antiphon.config.yaml{{ end }}
{{- end -}}

{{- define "antiphon.settingsVolume" -}}
- name: settings
  {{- if .Values.settingsSecret.name }}
  secret:
    secretName: {{ .Values.settingsSecret.name }}
  {{- else }}
  configMap:
    name: {{ include "antiphon.fullname" . }}-settings
  {{- end }}
{{- end -}}

{{- define "antiphon.handlerFolders" -}}
{{- $folders := .Values.handlers.paths | default list -}}
{{- if .Values.handlers.inline }}{{ $folders = append $folders "/etc/antiphon/handlers/inline" }}{{ end -}}
{{- if .Values.handlers.configMap }}{{ $folders = append $folders "/etc/antiphon/handlers/configmap" }}{{ end -}}
{{- join "," $folders -}}
{{- end -}}

{{- define "antiphon.bundledSecret" -}}
{{- .Values.redis.bundled.existingSecret | default (printf "%s-redis" (include "antiphon.fullname" .)) -}}
{{- end -}}

{{/* A password once: what the Secret holds already, else a new one, the same in every template of this run. */}}
{{- define "antiphon.bundledPassword" -}}
{{- $bundled := .Values.redis.bundled -}}
{{- if not (hasKey $bundled "_password") -}}
{{- $known := lookup "v1" "Secret" .Release.Namespace (printf "%s-redis" (include "antiphon.fullname" .)) | default dict -}}
{{- $held := get (get $known "data" | default dict) $bundled.existingSecretKey -}}
{{- $_ := set $bundled "_password" ($held | default (randAlphaNum 32 | b64enc)) -}}
{{- end -}}
{{- get $bundled "_password" -}}
{{- end -}}

{{- define "antiphon.redisEnv" -}}
{{- $redis := .Values.redis -}}
{{- if $redis.bundled.enabled -}}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "antiphon.bundledSecret" . }}
      key: {{ $redis.bundled.existingSecretKey }}
- name: REDIS_URL
  value: redis://:$(REDIS_PASSWORD)@{{ include "antiphon.fullname" . }}-redis.{{ .Release.Namespace }}:6379
{{- else -}}
- name: REDIS_URL
  valueFrom:
    secretKeyRef:
      name: {{ $redis.existingSecret | default (printf "%s-settings" (include "antiphon.fullname" .)) }}
      key: {{ ternary $redis.existingSecretKey "redis-url" (not (empty $redis.existingSecret)) }}
{{- end -}}
{{- end -}}

{{/* (list root variable token keyOfOurs) */}}
{{- define "antiphon.tokenEnv" -}}
{{- $root := index . 0 -}}{{- $token := index . 2 -}}
{{- if or $token.value $token.existingSecret -}}
- name: {{ index . 1 }}
  valueFrom:
    secretKeyRef:
      name: {{ $token.existingSecret | default (printf "%s-settings" (include "antiphon.fullname" $root)) }}
      key: {{ ternary $token.existingSecretKey (index . 3) (not (empty $token.existingSecret)) }}
{{- end -}}
{{- end -}}

{{/* What both modes and the test are told. */}}
{{- define "antiphon.commonEnv" -}}
{{ include "antiphon.redisEnv" . }}
- name: ANTIPHON_CONFIG
  value: {{ include "antiphon.settingsPath" . }}
{{- with include "antiphon.adapterNames" . }}
- name: ANTIPHON_ADAPTERS
  value: {{ . | quote }}
{{- end }}
{{- with include "antiphon.handlerFolders" . }}
- name: ANTIPHON_HANDLERS
  value: {{ . | quote }}
{{- end }}
{{- with include "antiphon.tokenEnv" (list . "ANTIPHON_ADMIN_TOKEN" .Values.adminToken "admin-token") }}
{{ . }}
{{- end }}
{{- with include "antiphon.tokenEnv" (list . "ANTIPHON_ADMIN_TOKENS" .Values.adminTokens "admin-tokens") }}
{{ . }}
{{- end }}
{{- with include "antiphon.tokenEnv" (list . "ANTIPHON_WEB_TOKEN" .Values.webToken "web-token") }}
{{ . }}
{{- end }}
{{- end -}}

{{/* (list root component): variables from the Secrets of adapters. */}}
{{- define "antiphon.adapterEnv" -}}
{{- $component := index . 1 -}}
{{- range $name, $adapter := (index . 0).Values.adapters -}}
{{- if and $adapter $adapter.enabled $adapter.existingSecret (or (eq $component "master") (not $adapter.mastersOnly)) -}}
{{- range $variable, $key := $adapter.secretKeys }}
- name: {{ $variable }}
  valueFrom:
    secretKeyRef:
      name: {{ $adapter.existingSecret }}
      key: {{ $key }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A change of settings or secrets rolls the pods. Of Secrets that are not ours, what the cluster holds now (nothing without a cluster). */}}
{{- define "antiphon.checksums" -}}
{{- $root := . -}}
checksum/settings: {{ include "antiphon.settingsFile" . | sha256sum }}
checksum/handlers: {{ toJson .Values.handlers.inline | sha256sum }}
{{- $held := list .Values.redis.url .Values.adminToken.value .Values.adminTokens.value .Values.webToken.value -}}
{{- if .Values.redis.bundled.enabled }}
{{- if not .Values.redis.bundled.existingSecret }}{{ $held = append $held (include "antiphon.bundledPassword" .) }}{{ end }}
{{- end }}
{{- $names := list .Values.redis.existingSecret .Values.redis.bundled.existingSecret .Values.adminToken.existingSecret .Values.adminTokens.existingSecret .Values.webToken.existingSecret .Values.settingsSecret.name .Values.handlers.existingSecret -}}
{{- range .Values.adapters }}{{ if and . .enabled }}{{ $names = append $names (.existingSecret | default "") }}{{ end }}{{ end -}}
{{- range compact $names -}}
{{- $held = append $held (get (lookup "v1" "Secret" $root.Release.Namespace . | default dict) "data" | default dict | toJson) -}}
{{- end }}
checksum/secrets: {{ toJson $held | sha256sum }}
{{- if .Values.handlers.configMap }}
checksum/handlers-configmap: {{ get (lookup "v1" "ConfigMap" .Release.Namespace .Values.handlers.configMap | default dict) "data" | default dict | toJson | sha256sum }}
{{- end }}
{{- end -}}
