{{/* SPDX-License-Identifier: Apache-2.0 */}}
{{/*
Schema blocks that several kinds share. Each is written once, so that a field means the same wherever it appears.

Texts carry a maximum length everywhere: without one the API server assumes the worst when it estimates what a CEL
rule costs, and refuses the rule. Maxima below status are far above what the operator writes (it cuts to 32 KB per
object), because a status write that a schema refuses would leave a run without its terminal state.
*/}}

{{/* Annotations of a CRD: "keep" protects all objects of the kind from an uninstall of the chart. */}}
{{- define "kharon.crd.annotations" -}}
{{- if .Values.crds.keep }}
annotations:
  helm.sh/resource-policy: keep
{{- end }}
{{- end }}

{{/* A map list of environment variables. "max" is the limit of all names and values together, "owner" who sets it. */}}
{{- define "kharon.crd.env" -}}
description: {{ .text | quote }}
type: array
maxItems: 128
x-kubernetes-list-type: map
x-kubernetes-list-map-keys: [name]
x-kubernetes-validations:
  - rule: "self.map(e, size(e.name) + (has(e.value) ? size(e.value) : 0)).sum() <= {{ .max }}"
    messageExpression: >-
      'env too big: %d characters in names and values, limit = {{ .max }}'.format(
      [self.map(e, size(e.name) + (has(e.value) ? size(e.value) : 0)).sum()])
    message: "env too big: names and values together may have {{ .max }} characters"
items:
  type: object
  required: [name]
  properties:
    name:
      description: Name of the variable. Letters, digits, "_", "-" and "."; it does not start with a digit.
      type: string
      minLength: 1
      maxLength: 256
      pattern: '^[A-Za-z_.-][A-Za-z0-9_.-]*$'
    value:
      description: Value of the variable, as it is; absent means empty.
      type: string
      maxLength: {{ .max }}
{{- end }}

{{/* Variables as they are stored in status: a copy, written and replaced as a whole. */}}
{{- define "kharon.crd.statusEnv" -}}
description: {{ . | quote }}
type: array
maxItems: 1024
x-kubernetes-list-type: atomic
items:
  type: object
  properties:
    name:
      description: Name of the variable.
      type: string
      maxLength: 32768
    value:
      description: Value of the variable; a long one is cut.
      type: string
      maxLength: 32768
{{- end }}

{{/* The standard conditions. The argument says which types there are. */}}
{{- define "kharon.crd.conditions" -}}
description: {{ . | quote }}
type: array
maxItems: 32
x-kubernetes-list-type: map
x-kubernetes-list-map-keys: [type]
items:
  type: object
  required: [type, status, lastTransitionTime, reason, message]
  properties:
    type:
      description: Name of the condition.
      type: string
      maxLength: 316
    status:
      description: Whether the condition holds.
      type: string
      enum: ["True", "False", Unknown]
    observedGeneration:
      description: The metadata.generation that the condition was made from.
      type: integer
      format: int64
      minimum: 0
    lastTransitionTime:
      description: When status last changed.
      type: string
      format: date-time
    reason:
      description: One word in CamelCase for programs.
      type: string
      maxLength: 1024
    message:
      description: A sentence for people, which may be empty.
      type: string
      maxLength: 32768
{{- end }}

{{/* What one execution was told to run: status.description and the submit events of a WorkflowInstance. */}}
{{- define "kharon.crd.description" -}}
description: {{ . | quote }}
type: object
x-kubernetes-map-type: atomic
properties:
  image:
    description: Image as the workflow named it.
    type: string
    maxLength: 32768
  args:
    description: Arguments, with "{}" already replaced by the partition.
    type: array
    maxItems: 4096
    x-kubernetes-list-type: atomic
    items:
      type: string
      maxLength: 32768
  env:
    {{- include "kharon.crd.statusEnv" "Variables of the workflow with those of the trigger laid over." | nindent 4 }}
  terminationLogging:
    description: Whether the exit code is taken from the termination message.
    type: boolean
  gcpServiceAccount:
    description: E-mail of the Google service account that was used.
    type: string
    maxLength: 32768
  commitSha:
    description: The commit that the workflow named.
    type: string
    maxLength: 32768
  runningTimeout:
    description: Longest time in RUNNING, an ISO-8601 duration.
    type: string
    maxLength: 32768
  retryCondition:
    description: The retry condition that the workflow named.
    type: string
    maxLength: 32768
  truncated:
    description: True if arguments or variables were cut to fit into 8 KB. The pod had them whole.
    type: boolean
{{- end }}

{{/* The container block: what a pod of Kharon runs. One schema for every kind that has a template. */}}
{{- define "kharon.crd.container" -}}
description: What to run. One pod is made from it for every execution.
type: object
properties:
  image:
    description: >-
      Image of the container. A reference without a tag runs as ":latest". A workflow without an image can be stored
      but does not run.
    type: string
    minLength: 1
    maxLength: 1024
  args:
    description: >-
      Arguments of the image's entrypoint. One that is exactly "{}" is replaced by the partition, for example
      2026-01-01. Together at most 96 KiB. None means the image's own.
    type: array
    maxItems: 4096
    x-kubernetes-list-type: atomic
    items:
      type: string
      maxLength: 98304
    x-kubernetes-validations:
      - rule: "self.map(a, size(a) + 1).sum() <= 98304"
        messageExpression: >-
          'docker args is too large: %d characters, limit = 98304'.format([self.map(a, size(a) + 1).sum()])
        message: "docker args is too large: together they may have 98304 characters"
  env:
    {{- include "kharon.crd.env" (dict "max" 16384 "text" "Environment variables. Those that Kharon sets (STYX_...) win over these, and those of a trigger too.") | nindent 4 }}
  terminationLogging:
    description: >-
      Take the exit code from the JSON {"exit_code": N} that the container writes to /dev/termination-log, and believe
      a zero only if it is written there.
    type: boolean
    default: false
  runningTimeout:
    description: >-
      Longest time that an execution may run, an ISO-8601 duration such as PT2H or PT90M; at least PT1M, at most the
      operator's maximum. Default: the operator's limit for the state RUNNING.
    type: string
    minLength: 1
    maxLength: 64
    x-kubernetes-validations:
      - rule: >-
          self.matches('^[Pp]([0-9]+[Dd])?([Tt]([0-9]+[Hh])?([0-9]+[Mm])?([0-9]+([.,][0-9]{0,9})?[Ss])?)?$')
          && self.matches('[DdHhMmSs]$')
        messageExpression: >-
          self.matches('^([0-9]+[Hh])?([0-9]+[Mm])?([0-9]+[Ss])?$')
          ? 'running timeout must be an ISO-8601 duration: write PT' + self.upperAscii() + ' for ' + self
          : 'running timeout must be an ISO-8601 duration such as PT2H (two hours) or PT90M: ' + self
        message: "running timeout must be an ISO-8601 duration: write PT2H for two hours"
        reason: FieldValueInvalid
  gcpServiceAccount:
    description: >-
      E-mail of a Google service account whose key is to be mounted into the container. Not supported yet: such a
      workflow is not Ready.
    type: string
    minLength: 1
    maxLength: 256
    x-kubernetes-validations:
      - rule: >-
          self.matches('^[A-Za-z0-9_+-]+([.][A-Za-z0-9_-]+)*@[A-Za-z0-9-]+([.][A-Za-z0-9]+)*[.][A-Za-z]{2,}$')
        messageExpression: "'service account is not a valid email address: ' + self"
        message: "service account is not a valid email address"
  podTemplate:
    {{- include "kharon.crd.podTemplate" . | nindent 4 }}
{{- end }}

{{/*
What of a pod a workflow may decide. The list is closed: no host namespaces, no host paths, no privileges. The names
and meanings are those of the Pod API; pod-level and container-level fields stand side by side, because there is one
container.
*/}}
{{- define "kharon.crd.podTemplate" -}}
description: >-
  Details of the pod, with the names and meanings of the Pod API. A closed list: what is not here cannot be set, in
  particular host namespaces, host paths and privileged containers.
type: object
x-kubernetes-validations:
  - rule: >-
      !has(self.volumeMounts)
      || self.volumeMounts.all(m, has(self.volumes) && self.volumes.exists(v, v.name == m.name))
    messageExpression: >-
      'volumeMounts names a volume that is not in volumes: %s'.format(
      [self.volumeMounts.filter(m, !has(self.volumes) || !self.volumes.exists(v, v.name == m.name))[0].name])
    message: "volumeMounts names a volume that is not in volumes"
    fieldPath: .volumeMounts
properties:
  metadata:
    description: Labels and annotations that the pod gets besides Kharon's own.
    type: object
    properties:
      labels:
        description: Labels of the pod. Keys of kharon.dev, and those that begin with STYX_, are Kharon's own.
        type: object
        maxProperties: 32
        additionalProperties:
          type: string
          maxLength: 63
        x-kubernetes-validations:
          - rule: "self.all(k, !k.startsWith('kharon.dev/') && !k.startsWith('STYX_'))"
            messageExpression: >-
              'label ' + self.filter(k, k.startsWith('kharon.dev/') || k.startsWith('STYX_'))[0]
              + ' is set by Kharon itself'
            message: "labels of kharon.dev/ and STYX_ are set by Kharon itself"
      annotations:
        description: Annotations of the pod. Keys of kharon.dev, and those that begin with styx-, are Kharon's own.
        type: object
        maxProperties: 32
        additionalProperties:
          type: string
          maxLength: 32768
        x-kubernetes-validations:
          - rule: "self.all(k, !k.startsWith('kharon.dev/') && !k.startsWith('styx-'))"
            messageExpression: >-
              'annotation ' + self.filter(k, k.startsWith('kharon.dev/') || k.startsWith('styx-'))[0]
              + ' is set by Kharon itself'
            message: "annotations of kharon.dev/ and styx- are set by Kharon itself"
  resources:
    description: What the container needs, and what it may use at most.
    type: object
    properties:
      requests:
        description: Amounts that are set aside for the container, for example cpu 100m and memory 64Mi.
        {{- include "kharon.crd.quantities" . | nindent 8 }}
      limits:
        description: Amounts that the container may not exceed.
        {{- include "kharon.crd.quantities" . | nindent 8 }}
  nodeSelector:
    description: Labels that a node must have.
    type: object
    maxProperties: 32
    additionalProperties:
      type: string
      maxLength: 63
  affinity:
    description: Rules about which nodes the pod wants or must have, and which pods beside it.
    type: object
    properties:
      nodeAffinity:
        description: Rules about nodes, as in the Pod API.
        type: object
        x-kubernetes-preserve-unknown-fields: true
      podAffinity:
        description: Rules about pods to be near to, as in the Pod API.
        type: object
        x-kubernetes-preserve-unknown-fields: true
      podAntiAffinity:
        description: Rules about pods to be away from, as in the Pod API.
        type: object
        x-kubernetes-preserve-unknown-fields: true
  tolerations:
    description: Taints of nodes that the pod puts up with.
    type: array
    maxItems: 32
    x-kubernetes-list-type: atomic
    items:
      type: object
      properties:
        key:
          description: Key of the taint; absent with operator Exists means every taint.
          type: string
          maxLength: 316
        operator:
          description: How key and value are compared.
          type: string
          enum: [Equal, Exists]
        value:
          description: Value of the taint for operator Equal.
          type: string
          maxLength: 63
        effect:
          description: Effect of the taint; absent means every effect.
          type: string
          enum: [NoSchedule, PreferNoSchedule, NoExecute]
        tolerationSeconds:
          description: For NoExecute, how many seconds the taint is put up with; absent means for ever.
          type: integer
          format: int64
  imagePullSecrets:
    description: Secrets with the credentials of registries.
    type: array
    maxItems: 16
    x-kubernetes-list-type: map
    x-kubernetes-list-map-keys: [name]
    items:
      type: object
      required: [name]
      properties:
        name:
          description: Name of a secret in the namespace of the workflow.
          type: string
          minLength: 1
          maxLength: 253
  imagePullPolicy:
    description: When the image is pulled. Default as in the Pod API, by the tag of the image.
    type: string
    enum: [Always, IfNotPresent, Never]
  volumes:
    description: Volumes for volumeMounts. Each has a name and exactly one of the listed kinds.
    type: array
    maxItems: 32
    x-kubernetes-list-type: map
    x-kubernetes-list-map-keys: [name]
    items:
      type: object
      required: [name]
      x-kubernetes-validations:
        - rule: >-
            [has(self.configMap), has(self.secret), has(self.emptyDir), has(self.persistentVolumeClaim),
            has(self.projected), has(self.downwardAPI)].filter(x, x).size() == 1
          messageExpression: >-
            'volume ' + self.name + ' must have exactly one of configMap, secret, emptyDir, persistentVolumeClaim,
            projected, downwardAPI'
          message: "a volume must have exactly one of the listed kinds"
      properties:
        name:
          description: Name of the volume.
          type: string
          minLength: 1
          maxLength: 63
          pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'
        configMap:
          description: The entries of a ConfigMap, as files.
          type: object
          required: [name]
          properties:
            name: {{ include "kharon.crd.name" "Name of the ConfigMap." }}
            items:
              {{- include "kharon.crd.keyToPath" . | nindent 14 }}
            defaultMode: {{ include "kharon.crd.mode" . }}
            optional: {description: "Whether the ConfigMap, or an entry, may be absent.", type: boolean}
        secret:
          description: The entries of a Secret, as files.
          type: object
          required: [secretName]
          properties:
            secretName: {{ include "kharon.crd.name" "Name of the Secret." }}
            items:
              {{- include "kharon.crd.keyToPath" . | nindent 14 }}
            defaultMode: {{ include "kharon.crd.mode" . }}
            optional: {description: "Whether the Secret, or an entry, may be absent.", type: boolean}
        emptyDir:
          description: An empty folder that lives as long as the pod.
          type: object
          properties:
            medium:
              description: Absent for the node's disk, Memory for a tmpfs.
              type: string
              enum: ["", Memory]
            sizeLimit:
              description: Largest size, a quantity.
              {{- include "kharon.crd.quantity" . | nindent 14 }}
        persistentVolumeClaim:
          description: A volume that a claim in the namespace of the workflow holds.
          type: object
          required: [claimName]
          properties:
            claimName: {{ include "kharon.crd.name" "Name of the claim." }}
            readOnly:
              description: Whether the volume is only read.
              type: boolean
        projected:
          description: Several sources in one folder.
          type: object
          properties:
            sources:
              description: The sources. Each has exactly one of the listed kinds.
              type: array
              maxItems: 16
              x-kubernetes-list-type: atomic
              items:
                type: object
                minProperties: 1
                maxProperties: 1
                properties:
                  configMap:
                    description: The entries of a ConfigMap.
                    type: object
                    required: [name]
                    properties:
                      name: {{ include "kharon.crd.name" "Name of the ConfigMap." }}
                      items:
                        {{- include "kharon.crd.keyToPath" . | nindent 24 }}
                      optional: {description: "Whether the ConfigMap, or an entry, may be absent.", type: boolean}
                  secret:
                    description: The entries of a Secret.
                    type: object
                    required: [name]
                    properties:
                      name: {{ include "kharon.crd.name" "Name of the Secret." }}
                      items:
                        {{- include "kharon.crd.keyToPath" . | nindent 24 }}
                      optional: {description: "Whether the Secret, or an entry, may be absent.", type: boolean}
                  serviceAccountToken:
                    description: A token of the pod's service account.
                    type: object
                    required: [path]
                    properties:
                      path: {{ include "kharon.crd.path" . }}
                      audience: {description: "Audience of the token; absent means the API server.", type: string, maxLength: 1024}
                      expirationSeconds:
                        description: Life time of the token in seconds; it is renewed in time.
                        type: integer
                        format: int64
                        minimum: 600
                  downwardAPI:
                    description: Fields of the pod.
                    type: object
                    properties:
                      items:
                        {{- include "kharon.crd.downwardItems" . | nindent 24 }}
            defaultMode: {{ include "kharon.crd.mode" . }}
        downwardAPI:
          description: Fields of the pod, as files.
          type: object
          properties:
            items:
              {{- include "kharon.crd.downwardItems" . | nindent 14 }}
            defaultMode: {{ include "kharon.crd.mode" . }}
  volumeMounts:
    description: Where the volumes appear in the container.
    type: array
    maxItems: 32
    x-kubernetes-list-type: map
    x-kubernetes-list-map-keys: [mountPath]
    items:
      type: object
      required: [name, mountPath]
      properties:
        name:
          description: Name of one of the volumes.
          type: string
          minLength: 1
          maxLength: 63
        mountPath:
          description: Folder or file in the container.
          type: string
          minLength: 1
          maxLength: 4096
        subPath:
          description: Path within the volume; absent means its root.
          type: string
          maxLength: 4096
        readOnly:
          description: Whether the container can only read.
          type: boolean
  serviceAccountName:
    description: Kubernetes service account of the pod. Default as in the Pod API, "default".
    type: string
    minLength: 1
    maxLength: 253
  automountServiceAccountToken:
    description: Whether the container gets a token of its service account. Default false, unlike in the Pod API.
    type: boolean
  securityContext:
    description: Security settings of the pod.
    type: object
    properties:
      runAsUser:
        {{- include "kharon.crd.runAsUser" . | nindent 8 }}
      runAsGroup:
        {{- include "kharon.crd.runAsGroup" . | nindent 8 }}
      runAsNonRoot:
        {{- include "kharon.crd.runAsNonRoot" . | nindent 8 }}
      fsGroup:
        description: Group that volumes belong to.
        type: integer
        format: int64
        minimum: 0
      fsGroupChangePolicy:
        description: Whether the owner of every file is set at each start, or only if the root differs.
        type: string
        enum: [OnRootMismatch, Always]
      supplementalGroups:
        description: Further groups of the process.
        type: array
        maxItems: 32
        x-kubernetes-list-type: atomic
        items:
          type: integer
          format: int64
          minimum: 0
      seccompProfile:
        {{- include "kharon.crd.seccompProfile" . | nindent 8 }}
  containerSecurityContext:
    description: Security settings of the container; they win over those of the pod.
    type: object
    properties:
      runAsUser:
        {{- include "kharon.crd.runAsUser" . | nindent 8 }}
      runAsGroup:
        {{- include "kharon.crd.runAsGroup" . | nindent 8 }}
      runAsNonRoot:
        {{- include "kharon.crd.runAsNonRoot" . | nindent 8 }}
      readOnlyRootFilesystem:
        description: Whether the image's files can only be read.
        type: boolean
      allowPrivilegeEscalation:
        description: Whether a process may gain more rights than its parent. Default false, unlike in the Pod API.
        type: boolean
      capabilities:
        description: Capabilities of the container.
        type: object
        properties:
          add:
            description: Capabilities to add; only those that the Pod Security Standard "baseline" allows.
            type: array
            maxItems: 16
            x-kubernetes-list-type: atomic
            items:
              type: string
              enum:
                - AUDIT_WRITE
                - CHOWN
                - DAC_OVERRIDE
                - FOWNER
                - FSETID
                - KILL
                - MKNOD
                - NET_BIND_SERVICE
                - SETFCAP
                - SETGID
                - SETPCAP
                - SETUID
                - SYS_CHROOT
          drop:
            description: Capabilities to take away, for example ALL.
            type: array
            maxItems: 64
            x-kubernetes-list-type: atomic
            items:
              type: string
              maxLength: 64
      seccompProfile:
        {{- include "kharon.crd.seccompProfile" . | nindent 8 }}
  priorityClassName:
    description: Priority class of the pod.
    type: string
    minLength: 1
    maxLength: 253
  schedulerName:
    description: Scheduler that places the pod.
    type: string
    minLength: 1
    maxLength: 253
  runtimeClassName:
    description: Container runtime of the pod, the name of a RuntimeClass.
    type: string
    minLength: 1
    maxLength: 253
  terminationGracePeriodSeconds:
    description: Seconds between the request to end (SIGTERM) and the kill, when a run is halted or times out.
    type: integer
    format: int64
    minimum: 1
    maximum: 3600
{{- end }}

{{/* Blocks that stand deep inside others are written in one line, so that the CRDs stay below 64 KB. */}}

{{- define "kharon.crd.quantity" -}}
x-kubernetes-int-or-string: true
anyOf: [{type: integer}, {type: string}]
pattern: '^[+-]?([0-9]+|[0-9]+[.][0-9]*|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$'
{{- end }}

{{- define "kharon.crd.quantities" -}}
type: object
maxProperties: 16
additionalProperties:
  {{- include "kharon.crd.quantity" . | nindent 2 }}
{{- end }}

{{/* A required name of another object. */}}
{{- define "kharon.crd.name" -}}
{description: {{ . }}, type: string, minLength: 1, maxLength: 253}
{{- end }}

{{- define "kharon.crd.path" -}}
{description: "File name, relative to the mount.", type: string, minLength: 1, maxLength: 4096}
{{- end }}

{{- define "kharon.crd.mode" -}}
{description: "Mode bits of the files, a number up to 0777 (511).", type: integer, format: int32, minimum: 0, maximum: 511}
{{- end }}

{{- define "kharon.crd.keyToPath" -}}
description: Entries to take, and their file names; absent means all.
type: array
maxItems: 64
x-kubernetes-list-type: atomic
items:
  type: object
  required: [key, path]
  properties:
    key: {{ include "kharon.crd.name" "Key of the entry." }}
    path: {{ include "kharon.crd.path" . }}
    mode: {{ include "kharon.crd.mode" . }}
{{- end }}

{{- define "kharon.crd.downwardItems" -}}
description: The files.
type: array
maxItems: 32
x-kubernetes-list-type: atomic
items:
  type: object
  required: [path]
  properties:
    path: {{ include "kharon.crd.path" . }}
    fieldRef:
      description: A field of the pod.
      type: object
      required: [fieldPath]
      properties:
        fieldPath: {{ include "kharon.crd.name" "\"Path of the field, for example metadata.labels.\"" }}
    resourceFieldRef:
      description: A request or limit of the container.
      type: object
      required: [resource]
      properties:
        resource: {{ include "kharon.crd.name" "\"Which one, for example limits.memory.\"" }}
        containerName: {{ include "kharon.crd.name" "\"Name of the container, styx-run.\"" }}
        divisor:
          description: Unit to divide by, for example 1Mi.
          {{- include "kharon.crd.quantity" . | nindent 10 }}
    mode: {{ include "kharon.crd.mode" . }}
{{- end }}

{{- define "kharon.crd.runAsUser" -}}
description: Number of the user that the process runs as.
type: integer
format: int64
minimum: 0
{{- end }}

{{- define "kharon.crd.runAsGroup" -}}
description: Number of the group that the process runs as.
type: integer
format: int64
minimum: 0
{{- end }}

{{- define "kharon.crd.runAsNonRoot" -}}
description: Refuse to start as user 0.
type: boolean
{{- end }}

{{- define "kharon.crd.seccompProfile" -}}
description: Filter of system calls. Default RuntimeDefault, unlike in the Pod API.
type: object
required: [type]
properties:
  type:
    description: RuntimeDefault, or Localhost for a profile of the node.
    type: string
    enum: [RuntimeDefault, Localhost]
  localhostProfile:
    description: Path of the profile for Localhost, below the kubelet's folder for such profiles.
    type: string
    maxLength: 4096
{{- end }}
