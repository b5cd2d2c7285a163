{{/* SPDX-License-Identifier: Apache-2.0 */}}

{{/* Labels of everything the chart makes. */}}
{{- define "kharon.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: kharon
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: kharon
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
