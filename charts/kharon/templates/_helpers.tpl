{{/* SPDX-License-Identifier: Apache-2.0 */}}
{{/*
Names are fixed, not made from the release's name: a namespace holds one installation, which has one lease.
Cluster-wide objects carry the namespace in their name, so that installations do not meet.
*/}}

{{/* Labels that select the pods of a program: (dict "name" PROGRAM "root" $) */}}
{{- define "kharon.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* Labels of its pods: nothing that changes with the version of the chart, which would restart them. */}}
{{- define "kharon.podLabels" -}}
{{- $fixed := include "kharon.selector" . | fromYaml }}
{{- merge (dict "app.kubernetes.io/part-of" "kharon") $fixed .values.podLabels | toYaml }}
{{- end }}

{{/* Labels of what belongs to one program, the same argument. */}}
{{- define "kharon.programLabels" -}}
{{ include "kharon.selector" . }}
{{ include "kharon.commonLabels" .root }}
{{- end }}

{{/* Labels of what belongs to none. */}}
{{- define "kharon.labels" -}}
app.kubernetes.io/name: kharon
app.kubernetes.io/instance: {{ .Release.Name }}
{{ include "kharon.commonLabels" . }}
{{- end }}

{{- define "kharon.commonLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: kharon
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* The watched namespaces as a JSON list: that of the release, then the others. */}}
{{- define "kharon.namespaces" -}}
{{- concat (list .Release.Namespace) (without .Values.watchNamespaces .Release.Namespace | sortAlpha) | toJson }}
{{- end }}

{{- define "kharon.namespacesArgument" -}}
--namespaces={{ include "kharon.namespaces" . | fromJsonArray | join "," }}
{{- end }}

{{/* Arguments that say where components live; both programs must agree. */}}
{{- define "kharon.placeArguments" -}}
- {{ include "kharon.namespacesArgument" . | quote }}
- "--installation-namespace={{ .Release.Namespace }}"
{{- with .Values.componentNamespaces }}
{{- $pairs := list }}
{{- range $component, $namespace := . }}
{{- $pairs = append $pairs (printf "%s=%s" $component $namespace) }}
{{- end }}
- {{ printf "--component-namespaces=%s" (join "," $pairs) | replace "$" "$$" | quote }}
{{- end }}
{{- end }}

{{/*
What a program is told: by the chart (PROGRAM.arguments), then by extraArgs, which may not say the same again.
(dict "name" PROGRAM "values" VALUES-OF-THE-PROGRAM "root" $)
*/}}
{{- define "kharon.arguments" -}}
{{- $arguments := include (printf "%s.arguments" .name) .root }}
{{- $taken := list "--component-namespaces" "--timeouts" "--execution-env" }}
{{- range fromYamlArray $arguments }}
{{- $taken = append $taken (splitList "=" . | first) }}
{{- end }}
{{- range .values.extraArgs }}
{{- if has (splitList "=" . | first) $taken }}
{{- fail (printf "%s.extraArgs: %s is set by the chart already" (trimPrefix "kharon-" $.name) (splitList "=" . | first)) }}
{{- end }}
{{- end }}
{{- $arguments }}
{{- range .values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}

{{/* The namespaces whose pods may call the API, as a JSON list. */}}
{{- define "kharon.apiCallers" -}}
{{- concat (list .Release.Namespace) .Values.apiserver.networkPolicy.allowedNamespaces | uniq | toJson }}
{{- end }}

{{- define "kharon.image" -}}
{{- with .Values.image }}
{{- $version := empty .digest | ternary (printf ":%s" (.tag | default $.Chart.AppVersion)) (printf "@%s" .digest) }}
image: {{ printf "%s%s" .repository $version | quote }}
{{- end }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end }}

{{- define "kharon.imagePullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* With the values as they are, every pod of ours satisfies the Pod Security Standard "restricted". */}}
{{- define "kharon.podSecurity" -}}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- end }}

{{- define "kharon.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* Both programs answer these on port 8081. */}}
{{- define "kharon.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: probes}
  periodSeconds: 1
  timeoutSeconds: 3
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: probes}
  periodSeconds: 10
  timeoutSeconds: 3
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: probes}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 3
{{- end }}

{{/* Annotations of a program's pods: (dict "values" VALUES-OF-THE-PROGRAM "root" $) */}}
{{- define "kharon.podAnnotations" -}}
{{- $all := dict }}
{{- if .root.Values.metrics.annotations }}
{{- $all = dict "prometheus.io/scrape" "true" "prometheus.io/port" "8081" "prometheus.io/path" "/metrics" }}
{{- end }}
{{- with merge (dict) .values.podAnnotations $all }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Where the pods of a program run: (dict "values" VALUES-OF-THE-PROGRAM "name" PROGRAM "root" $) */}}
{{- define "kharon.placement" -}}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "kharon.selector" . | nindent 8 }}
{{- end }}

{{/* (dict "name" PROGRAM "root" $) */}}
{{- define "kharon.disruptionBudget" -}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "kharon.programLabels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "kharon.selector" . | nindent 6 }}
{{- end }}

{{/* The service account of a program: (dict "name" PROGRAM "root" $) */}}
{{- define "kharon.account" -}}
{{- $values := index .root.Values (trimPrefix "kharon-" .name) }}
{{- $values.serviceAccount.name | default .name }}
{{- end }}

{{/* (dict "name" PROGRAM "values" VALUES-OF-THE-PROGRAM "root" $) */}}
{{- define "kharon.serviceAccount" -}}
{{- if .values.serviceAccount.create }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "kharon.account" . }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "kharon.programLabels" . | nindent 4 }}
  {{- with .values.serviceAccount.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end }}
{{- end }}

{{/* What a container finds in its environment besides what Kubernetes puts there. */}}
{{- define "kharon.env" -}}
{{- with .values.extraEnv }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What the schema of the values cannot say, or not clearly. */}}
{{- define "kharon.check" -}}
{{- $api := .Values.apiserver }}
{{- if not .Values.image.repository }}
{{- fail "image.repository is not set: build an image with the Containerfile, push it to a registry of yours, and name it here" }}
{{- end }}
{{- if ne $api.authentication "none" }}
{{- fail (printf "apiserver.authentication is %q: this version of Kharon only knows \"none\"" $api.authentication) }}
{{- end }}
{{- if ne $api.service.type "ClusterIP" }}
{{- fail (printf "apiserver.service.type is %q: it must be ClusterIP while apiserver.authentication is \"none\", because whoever reaches the API may run pods" $api.service.type) }}
{{- end }}
{{- include "kharon.checkLease" .Values.operator }}
{{- $namespaces := include "kharon.namespaces" . | fromJsonArray }}
{{- range $component, $namespace := .Values.componentNamespaces }}
{{- if not (has $namespace $namespaces) }}
{{- fail (printf "componentNamespaces.%s is %q, which is not watched: add it to watchNamespaces" $component $namespace) }}
{{- end }}
{{- end }}
{{- end }}

{{/* As the program has it, which would not start otherwise. */}}
{{- define "kharon.checkLease" -}}
{{- $delta := trimSuffix "s" .delta | float64 }}
{{- $lease := trimSuffix "s" .leaseDuration | float64 }}
{{- if or (lt $delta 0.5) (gt $delta 20.0) }}
{{- fail (printf "operator.delta is %s: it must be from 0.5s to 20s" .delta) }}
{{- end }}
{{- if or (lt $lease 3.0) (gt $lease 60.0) }}
{{- fail (printf "operator.leaseDuration is %s: it must be from 3s to 60s" .leaseDuration) }}
{{- end }}
{{- if le $lease (mulf $delta 2) }}
{{- fail (printf "operator.leaseDuration is %s: it must be more than twice operator.delta, which is %s" .leaseDuration .delta) }}
{{- end }}
{{- end }}
