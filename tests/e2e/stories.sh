#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Stories of an installed Kharon, with real pods: each is told to the API server by kubectl or to Kharon by curl, and
# judged by what the cluster then shows.
#
# usage: tests/e2e/stories.sh     the chart is installed as release kharon in the namespace
#        kharon with the values of values.yaml beside this file; STORIES="success halt" tells some of them
# shellcheck disable=SC2016 # commands for containers, with variables of theirs
set -uo pipefail

ns=kharon
passed=0
failed=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

"$(dirname "$0")/../cluster/guard" || exit 1
: "${KHARON_URL:?where the API server answers}"

k() { kubectl --namespace "$ns" "$@"; }

# Fails the story that is told.
wrong()
{
    echo "# $*"
    told=1
}

# equal WHAT GOT WANTED
equal() { [ "$2" = "$3" ] || wrong "$1: got '$2', wanted '$3'"; }

# has WHAT TEXT PART
has() { [[ $2 == *"$3"* ]] || wrong "$1: '$3' is not in '$2'"; }

# workflow NAME SPEC: applies one; SPEC is YAML in flow style.
workflow()
{
    printf 'apiVersion: kharon.dev/v1alpha1\nkind: Workflow\nmetadata: {name: %s, labels: {story: e2e}}\nspec: %s\n' "$1" "$2" |
        k apply -f - >/dev/null || wrong "could not apply workflow $1"
}

# by_hand WORKFLOW PARAMETER: an ad hoc run.
by_hand()
{
    printf 'apiVersion: kharon.dev/v1alpha1\nkind: WorkflowInstance\nmetadata: {name: %s.%s}\nspec: {workflow: %s, parameter: "%s"}\n' \
        "$1" "$2" "$1" "$2" | k create -f - >/dev/null || wrong "could not create $1.$2"
}

# run_of NAME ARGS [MORE]: a workflow that runs a shell command, once a year and now by hand.
run_of()
{
    workflow "$1" "{schedule: yearly, template: {image: 'busybox:1', args: [sh, -c, '$2']${3:-}}}"
    by_hand "$1" 2025
}

# field NAME PATH
field() { k get kwfi "$1" -o "jsonpath={$2}"; }

# until_state NAME STATE [SECONDS]
until_state()
{
    k wait "kwfi/$1" "--for=jsonpath={.status.state}=$2" --timeout="${3:-60}s" >/dev/null ||
        wrong "$1 is $(field "$1" .status.state), not $2: $(field "$1" .status.message.line)"
}

api() { curl -sS -m 10 "$KHARON_URL$1" "${@:2}"; }

events_of() { field "$1" '.status.events[*].type'; }

# What goes wrong first, as soon as it does. The status is at the next try at any moment; what is watched misses nothing.
first_error_of()
{
    jq -rn 'first(inputs.status.events[]? | select(.type == "runError")).message' \
        < <(exec timeout 60 kubectl --namespace "$ns" get kwfi "$1" --watch -o json 2>/dev/null)
}

# pod_of NAME: the pod of the current or last execution
pod_of() { field "$1" '.status.events[?(@.type=="submit")].executionId' | tr ' ' '\n' | tail -n 1; }

# gone KIND/NAME [SECONDS]
gone() { k wait "$1" --for=delete --timeout="${2:-60}s" >/dev/null 2>&1 || wrong "$1 is still there"; }

# ---- the stories ----

tell_success()
{
    run_of good 'echo partition $STYX_PARAMETER try $STYX_EXECUTION_TRIES'
    k wait kwfi/good.2025 --for=condition=Complete --timeout=60s >/dev/null || wrong "not Complete"
    equal state "$(field good.2025 .status.state)" DONE
    equal events "$(events_of good.2025)" "triggerExecution dequeue submit submitted started terminate success"
    equal logs "$(k logs "$(pod_of good.2025)")" "partition 2025 try 0"
    equal listed "$(k get kwfi --field-selector status.state=DONE,spec.workflow=good -o name)" \
        workflowinstance.kharon.dev/good.2025
    equal "REST events" "$(api /api/v3/status/events/kharon/good/2025 | jq -r '[.events[].event["@type"]] | join(" ")')" \
        "triggerExecution dequeue submit submitted started terminate success"
    equal "REST statuses" "$(api /api/v3/workflows/kharon/good/instances | jq -r '[.[0].triggers[0].executions[0].statuses[].status] | join(" ")')" \
        "SUBMITTED STARTED SUCCESS"
    has finalizer "$(k get pod "$(pod_of good.2025)" -o jsonpath='{.metadata.finalizers}')" kharon.dev/outcome
}

tell_retry()
{
    run_of flaky 'if [ $STYX_EXECUTION_TRIES = 0 ]; then echo no luck; exit 1; fi'
    until_state flaky.2025 DONE 90
    equal tries "$(field flaky.2025 .status.tries)" 2
    equal events "$(events_of flaky.2025)" \
        "triggerExecution dequeue submit submitted started terminate retryAfter dequeue submit submitted started terminate success"
    has "Kubernetes Event" "$(k get events --field-selector involvedObject.name=flaky.2025 -o jsonpath='{.items[*].reason}')" ExecutionFailed
}

tell_final_failure()
{
    run_of broken 'echo cannot go on; exit 50'
    k wait kwfi/broken.2025 --for=condition=Failed --timeout=60s >/dev/null || wrong "not Failed"
    equal state "$(field broken.2025 .status.state)" ERROR
    equal exit "$(field broken.2025 .status.lastExit)" 50
    equal message "$(field broken.2025 .status.message.line)" "Exit code: 50"
}

# What the first of two pods was when the second was created, as a watch of both tells, a document an event.
pod_before()
{
    jq -rs '(map(.object.metadata.name) | unique_by(.) | length) as $n | .[0].object.metadata.name as $first |
        if $n != 2 then "\($n) pods" else
            .[:map(.object.metadata.name == $first) | index(false)] | last |
            if .type == "DELETED" or (.object.status.containerStatuses // [{}] | all(.state.terminated)) then "gone" else
                .object.status.phase
            end
        end' "$1"
}

# Time is up, the pod takes longer to end than the next try waits, and it is gone all the same before that begins.
tell_timeout()
{
    local watcher
    kubectl --namespace "$ns" get pods -l STYX_WORKFLOW_ID=slow --watch --output-watch-events -o json >"$tmp/pods" &
    watcher=$!
    run_of slow 'trap "" TERM; sleep 600' ", podTemplate: {terminationGracePeriodSeconds: 10}"
    until_state slow.2025 RUNNING
    k wait kwfi/slow.2025 --for=jsonpath='{.status.message.line}'="Timed out in RUNNING" --timeout=60s >/dev/null ||
        wrong "not timed out: $(field slow.2025 .status.message.line)"
    until_state slow.2025 RUNNING 60
    kill "$watcher" && wait "$watcher" 2>/dev/null
    equal "first pod at the second's start" "$(pod_before "$tmp/pods")" gone
    api /api/v3/scheduler/halt -X POST -d '{"workflow_instance":"kharon/slow/2025"}' >"$tmp/halt"
    until_state slow.2025 ERROR
}

tell_missing_image()
{
    workflow nowhere "{schedule: yearly, template: {image: 'localhost/no-such-image:1', podTemplate: {imagePullPolicy: Never}}}"
    by_hand nowhere 2025
    has message "$(first_error_of nowhere.2025)" \
        "Failed to pull image localhost/no-such-image:1 of container styx-run, reason: ErrImageNeverPull"
    k delete kwf nowhere >/dev/null
    until_state nowhere.2025 ERROR
}

tell_refused_pod()
{
    workflow refused "{schedule: yearly, template: {image: 'busybox:1', podTemplate: {priorityClassName: nope}}}"
    by_hand refused 2025
    has message "$(first_error_of refused.2025)" "no PriorityClass with name nope was found"
    k delete kwf refused >/dev/null
}

tell_workflow_deleted()
{
    run_of doomed 'sleep 600' ", podTemplate: {terminationGracePeriodSeconds: 1}"
    until_state doomed.2025 RUNNING
    local pod
    pod=$(pod_of doomed.2025)
    k delete kwf doomed >/dev/null
    until_state doomed.2025 ERROR
    equal message "$(field doomed.2025 .status.message.line)" "Halted: the workflow was deleted"
    k wait "pod/$pod" --for=jsonpath='{.status.phase}'=Failed --timeout=30s >/dev/null 2>&1 || gone "pod/$pod"
    equal history "$(api /api/v3/workflows/kharon/doomed/instances/2025 | jq -r '.triggers[0].executions[0].statuses[-1].status')" HALTED
}

tell_instance_deleted()
{
    run_of forgotten 'sleep 600' ", podTemplate: {terminationGracePeriodSeconds: 1}"
    until_state forgotten.2025 RUNNING
    local pod
    pod=$(pod_of forgotten.2025)
    k delete kwfi forgotten.2025 >/dev/null
    gone "pod/$pod"
}

# The run goes on while nobody watches, and nothing happens twice.
tell_operator_deleted()
{
    run_of steady 'sleep 8'
    until_state steady.2025 RUNNING
    k delete pod -l app.kubernetes.io/name=kharon-operator --wait=false >/dev/null
    until_state steady.2025 DONE 60
    equal tries "$(field steady.2025 .status.tries)" 1
    equal events "$(events_of steady.2025)" "triggerExecution dequeue submit submitted started terminate success"
    k rollout status deployment/kharon-operator --timeout=60s >/dev/null || wrong "the operator did not come back"
}

tell_natural_trigger()
{
    workflow minutely "{schedule: '* * * * *', template: {image: 'busybox:1', args: [echo, '{}']}}"
    local first
    k wait kwf/minutely --for=condition=Ready --timeout=30s >/dev/null || wrong "not Ready"
    first=$(k get kwf minutely -o 'jsonpath={.status.next}')
    k wait kwf/minutely "--for=jsonpath={.status.lastDecision.partition}=$first" --timeout=90s >/dev/null || wrong "not triggered"
    k patch kwf minutely --type=merge -p '{"spec":{"suspend":true}}' >/dev/null
    local name
    name=minutely.$(tr 'A-Z:' 'a-z-' <<<"$first")
    until_state "$name" DONE
    equal trigger "$(field "$name" .status.trigger.type)" natural
    equal logs "$(k logs "$(pod_of "$name")")" "$first"
}

tell_rest()
{
    local code
    code=$(api /api/v3/workflows/e2e -o "$tmp/out" -w '%{http_code}' -d \
        '{"id":"by rest","schedule":"hourly","docker_image":"busybox:1","docker_args":["sh","-c","sleep 600"]}')
    equal "POST workflow" "$code" 200
    equal enabled "$(api /v3/workflows/e2e/by%20rest/state | jq .enabled)" false
    code=$(api /api/v3/scheduler/trigger -o "$tmp/out" -w '%{http_code}' -d \
        '{"workflow_id":{"component_id":"e2e","id":"by rest"},"parameter":"2026-01-01T05:10","trigger_parameters":{"env":{"A":"b"}}}')
    equal "POST trigger" "$code" 200
    equal effective "$(jq -r .effective_parameter "$tmp/out")" 2026-01-01T05
    equal again "$(api /api/v3/scheduler/trigger -o /dev/null -w '%{http_code}' -d \
        '{"workflow_id":{"component_id":"e2e","id":"by rest"},"parameter":"2026-01-01T05"}')" 409
    local name
    name=$(k get kwfi -o json | jq -r '.items[] | select(.spec.parameter == "2026-01-01T05") | .metadata.name')
    until_state "$name" RUNNING
    equal active "$(api '/api/v3/status/activeStates?component=e2e' | jq -r '.active_states[0].state')" RUNNING
    code=$(api /api/v3/scheduler/halt -o /dev/null -w '%{http_code}' -d \
        '{"workflow_id":{"component_id":"e2e","id":"by rest"},"parameter":"2026-01-01T05"}')
    equal "POST halt" "$code" 200
    equal halted "$(field "$name" .status.state)" ERROR
    equal "DELETE workflow" "$(api /api/v3/workflows/e2e/by%20rest -X DELETE -o /dev/null -w '%{http_code}')" 204
}

# It is not triggered when a twin of it is.
tell_suspended()
{
    local spec="schedule: '* * * * *', template: {image: 'busybox:1', args: ['true']}"
    workflow asleep "{$spec, suspend: true}"
    k wait kwf/asleep --for=jsonpath='{.status.suspended}'=true --timeout=30s >/dev/null || wrong "not seen as suspended"
    workflow awake "{$spec}"
    k wait kwf/awake --for=jsonpath='{.status.lastDecision.partition}' --timeout=90s >/dev/null || wrong "its twin was not triggered"
    k patch kwf awake --type=merge -p '{"spec":{"suspend":true}}' >/dev/null
    equal instances "$(k get kwfi --field-selector spec.workflow=asleep -o name)" ""
}

tell_helm_test() { helm test kharon --namespace "$ns" --timeout 60s >"$tmp/helm" 2>&1 || wrong "$(cat "$tmp/helm")"; }

# ---- telling them ----

all=(success retry final_failure timeout missing_image refused_pod workflow_deleted instance_deleted operator_deleted
    natural_trigger rest suspended helm_test)
[ -z "${STORIES:-}" ] || read -ra all <<<"$STORIES"
for story in "${all[@]}"; do
    told=0
    start=$(date +%s%3N)
    "tell_$story"
    took="$(($(date +%s%3N) - start)) ms"
    if [ "$told" = 0 ]; then
        passed=$((passed + 1))
        echo "ok $((passed + failed)) - story: ${story//_/ } ($took)"
    else
        failed=$((failed + 1))
        echo "not ok $((passed + failed)) - story: ${story//_/ } ($took)"
        k logs deployment/kharon-operator --tail=20 | sed 's/^/#   /'
    fi
done
k delete kwf -l story=e2e --ignore-not-found >/dev/null
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
