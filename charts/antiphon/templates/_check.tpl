{{/* Fails with every problem of the values, each in one sentence that says what to set. */}}
{{- define "antiphon.checkValues" -}}
{{- end -}}
{{- define "antiphon.metricsApiSecret" -}}
{{- .Values.externalMetrics.apiService.certificate.existingSecret | default (printf "%s-metrics-api" (include "antiphon.fullname" .)) -}}
{{- end -}}
