{{/* Names and labels. Selectors are frozen: an upgrade cannot change them. test/chart compares them with a snapshot. */}}

{{- define "antiphon.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* The release's name when it says what it is, else with the chart's name behind. Short, for suffixes come behind it. */}}
{{- define "antiphon.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "antiphon.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "antiphon.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "antiphon.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "antiphon.podMarks" . }}
{{- end -}}

{{/* Of pods too. The chart's version is not among them: a new chart alone rolls nothing. */}}
{{- define "antiphon.podMarks" -}}
app.kubernetes.io/version: {{ regexReplaceAll "[^A-Za-z0-9._-].*$" (include "antiphon.tag" (list .Values.image .Chart.AppVersion)) "" | trunc 63 | trimAll "-._" | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: antiphon
{{- with .Values.commonLabels }}
{{ tpl (toYaml .) $ }}
{{- end }}
{{- end -}}

{{/* (list root component [pool]) */}}
{{- define "antiphon.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: antiphon
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- if gt (len .) 2 }}
antiphon.dev/pool: {{ index . 2 }}
{{- end }}
{{- end -}}

{{/* (list root name component [pool]): the metadata of an object of ours. */}}
{{- define "antiphon.metadata" -}}
{{- $root := index . 0 -}}
name: {{ index . 1 }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "antiphon.selector" (concat (list $root) (slice . 2)) | nindent 2 }}
  {{- include "antiphon.labels" $root | nindent 2 }}
{{- with $root.Values.commonAnnotations }}
annotations:
  {{- tpl (toYaml .) $root | nindent 2 }}
{{- end }}
{{- end -}}

{{/* (list image presetTag): whole numbers as they were written. */}}
{{- define "antiphon.tag" -}}
{{- $tag := (index . 0).tag | default (index . 1) -}}
{{- if kindIs "float64" $tag }}{{ printf "%.0f" $tag }}{{ else }}{{ toString $tag }}{{ end -}}
{{- end -}}

{{/* (list image presetTag) */}}
{{- define "antiphon.image" -}}
{{- $image := index . 0 -}}
{{- $name := $image.repository -}}
{{- with $image.registry }}{{ $name = printf "%s/%s" . $name }}{{ end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (include "antiphon.tag" .) -}}
{{- end -}}
{{- end -}}

{{- define "antiphon.serviceAccount" -}}
{{- $own := index .root.Values .component -}}
{{- if $own.serviceAccount.create -}}
{{- $own.serviceAccount.name | default (printf "%s-%s" (include "antiphon.fullname" .root) .component) -}}
{{- else -}}
{{- $own.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* (list own global key): the component's value when it has one, else everybody's. */}}
{{- define "antiphon.pick" -}}
{{- $own := index . 0 -}}{{- $all := index . 1 -}}{{- $key := index . 2 -}}
{{- $value := get $own $key -}}
{{- if kindIs "invalid" $value -}}{{- $value = get $all $key -}}
{{- else if and (not $value) (not (kindIs "bool" $value)) (not (kindIs "float64" $value)) (not (kindIs "int64" $value)) -}}
{{- $value = get $all $key -}}
{{- end -}}
{{- dict "value" $value | toJson -}}
{{- end -}}

{{/* Whether this Kubernetes knows preStop.sleep. */}}
{{- define "antiphon.knowsSleep" -}}
{{- if semverCompare ">=1.30-0" .Capabilities.KubeVersion.Version }}yes{{ end -}}
{{- end -}}
