#!/usr/bin/env bash
# Performs the steps of users on a real cluster: deploy, send an Alert, provision a database, undeploy, deploy again, delete the objects,
# reach a database in the cluster with kubectl bellhop connect, uninstall; then uninstall by force. hack/cluster starts the cluster (Linux, root, see its README) with an id of its own; KEEP=1 leaves
# it running.
set -Eeuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export BELLHOP_CLUSTER_ID=${BELLHOP_CLUSTER_ID:-90}
export BELLHOP_CLUSTER_DIR=${BELLHOP_CLUSTER_DIR:-${TMPDIR:-/tmp}/bellhop-cluster}
host_ip=10.250.$BELLHOP_CLUSTER_ID.1 # this machine's address in the cluster's network
samples=config/samples

say() { echo "==> $*" >&2; }
fail() { say "FAILED: $*"; exit 1; }
trap 'say "FAILED in line $LINENO: $BASH_COMMAND"' ERR

# eventually SECONDS COMMAND... repeats the command until it succeeds.
eventually() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $deadline ] || fail "never succeeded: $*"
		sleep 1
	done
}

pids=()
work=$(mktemp -d)
clean_up() {
	local rc=$?
	if [ $rc -ne 0 ] && [ -n "${KUBECONFIG:-}" ]; then
		kubectl get pods,alerts,clusterreceivers,clusterservicebrokers,serviceinstances,servicebindings --all-namespaces -o wide >&2 || true
		kubectl logs --namespace bellhop-system --selector control-plane=controller-manager --tail 30 --prefix >&2 || true
		tail -n 30 "$work"/*.log >&2 || true
	fi
	[ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true
	[ "${KEEP:-}" = 1 ] || hack/cluster/down.sh || true
	rm -rf "$work"
	exit $rc
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# Copy the programs that hack/controlplane built for other tests; hack/cluster/go.mod pins the version of both.
if [ ! -e "$BELLHOP_CLUSTER_DIR" ]; then
	assets=$(env -u KUBEBUILDER_ASSETS go -C hack/controlplane run . -controller-manager)
	mkdir -p "$BELLHOP_CLUSTER_DIR/bin"
	touch "$BELLHOP_CLUSTER_DIR/.bellhop-cluster"
	for program in etcd kube-apiserver kubectl kube-controller-manager; do
		cp -L "$assets/$program" "$BELLHOP_CLUSTER_DIR/bin/"
	done
fi
settings=$(hack/cluster/up.sh)
eval "$settings"

export IMG=localhost/bellhop:e2e
make build
hack/cluster/load-image.sh "$IMG" bin/manager
CGO_ENABLED=0 go -C demo build -o "$work/" ./cmd/...
hack/cluster/load-image.sh localhost/login:e2e "$work/login"
hack/cluster/load-image.sh localhost/broker:e2e "$work/broker"
CGO_ENABLED=0 go -C cmd/kubectl-bellhop build -trimpath -o "$work/bin/kubectl-bellhop" .
PATH=$work/bin:$PATH # kubectl bellhop

"$work/inbox" -unsigned -listen "$host_ip:8090" >"$work/inbox.log" &
pids+=($!)
export BROKER_PASSWORD=change-me
"$work/broker" -verbose -delay 5s -listen "$host_ip:8091" -mysql "$host_ip:8092" >"$work/broker.log" &
pids+=($!)

# count_requests KIND counts the broker's requests of a kind, such as "provision".
count_requests() { grep -c " $*, answered" "$work/broker.log" || true; }

# is_uninstalled reports whether the cluster has no installed object.
is_uninstalled() { [ -z "$(kubectl get crds,namespaces,clusterroles,clusterrolebindings -o name | grep -e bellhop -e pager -e servicecatalog)" ]; }

# create_receiver_and_broker creates the objects of a platform team. The inbox and the broker run on this machine.
create_receiver_and_broker() {
	kubectl apply -f - <<-EOT
		apiVersion: pager.k8s.co/v1beta1
		kind: ClusterReceiver
		metadata:
		  name: inbox
		  annotations: {pager.k8s.co/is-default-receiver: "true"}
		spec:
		  webhook: {url: "http://$host_ip:8090/"}
		  namespaceSelector: {}
		---
		apiVersion: v1
		kind: Secret
		metadata: {name: mysql-broker, namespace: bellhop-system}
		stringData: {username: bellhop, password: $BROKER_PASSWORD}
		---
		apiVersion: servicecatalog.k8s.io/v1beta1
		kind: ClusterServiceBroker
		metadata: {name: mysql}
		spec:
		  url: http://$host_ip:8091
		  authInfo: {basic: {secretRef: {name: mysql-broker, namespace: bellhop-system}}}
	EOT
	kubectl wait --for=condition=Ready --timeout=60s clusterservicebroker/mysql
}

# create_service applies the samples without changes, and waits until they are Ready.
create_service() {
	kubectl apply -f $samples/servicecatalog_v1beta1_serviceinstance.yaml -f $samples/servicecatalog_v1beta1_servicebinding.yaml
	kubectl wait --for=condition=Ready --timeout=60s serviceinstance/example-mysql-instance servicebinding/example-mysql-binding
}

# log_in SECRET runs a Pod that logs in to the database with the credentials of a Secret.
log_in() {
	kubectl apply -f - <<-EOT
		apiVersion: v1
		kind: Pod
		metadata: {name: login-$1}
		spec:
		  restartPolicy: Never
		  containers:
		  - {name: login, image: "localhost/login:e2e", imagePullPolicy: Never, envFrom: [{prefix: DB_, secretRef: {name: $1}}]}
	EOT
	kubectl wait --for=jsonpath='{.status.phase}'=Succeeded --timeout=60s "pod/login-$1" || fail "$(kubectl logs "login-$1" 2>&1)"
	kubectl logs "login-$1"
	kubectl delete pod "login-$1"
}

# run_broker_pod runs the demo's broker in the cluster: only Pods reach the MySQL server of its Service.
run_broker_pod() {
	kubectl create namespace mysql
	kubectl apply -f - <<-EOT
		apiVersion: v1
		kind: Service
		metadata: {name: mysql, namespace: mysql}
		spec:
		  selector: {app: mysql}
		  ports: [{name: broker, port: 80, targetPort: osb}, {name: sql, port: 3306, targetPort: sql}]
		---
		apiVersion: apps/v1
		kind: Deployment
		metadata: {name: mysql, namespace: mysql}
		spec:
		  selector: {matchLabels: {app: mysql}}
		  template:
		    metadata: {labels: {app: mysql}}
		    spec:
		      containers:
		      - name: broker
		        image: localhost/broker:e2e
		        imagePullPolicy: Never
		        args: ["-verbose", "-listen=:8091", "-mysql=:3306", "-host=mysql.mysql.svc"]
		        env: [{name: BROKER_PASSWORD, value: "$BROKER_PASSWORD"}]
		        ports: [{name: osb, containerPort: 8091}, {name: sql, containerPort: 3306}]
		        readinessProbe: {tcpSocket: {port: osb}, periodSeconds: 1}
	EOT
	kubectl rollout status --timeout=60s --namespace mysql deployment/mysql
}

# kill_leader kills the processes of the leader's Pod with SIGKILL, so that they complete nothing.
kill_leader() {
	local holder uid
	holder=$(kubectl get lease --namespace bellhop-system bellhop.gophernetes.io -o jsonpath='{.spec.holderIdentity}')
	uid=$(kubectl get pod --namespace bellhop-system "${holder%%_*}" -o jsonpath='{.metadata.uid}')
	# grep may fail, since other processes end meanwhile. kill fails if grep found no process.
	{ grep -ls "pod${uid:?}" /proc/[0-9]*/cgroup || true; } | cut -d/ -f3 | xargs kill -9
}

say "make deploy"
make deploy
create_receiver_and_broker

say "the sample of an Alert is sent"
kubectl apply -f $samples/pager_v1alpha1_alert.yaml
kubectl wait --for=jsonpath='{.status.sent}'=true --timeout=60s alert/kubecon-alert
grep -q 'Hello KubeCon' "$work/inbox.log" || fail "nothing reached the inbox: $(cat "$work/inbox.log")"

# has_both_versions reports whether the Alert can be read in the version in which it was written, and in the stored version.
has_both_versions() {
	[ "$(kubectl get alerts.v1alpha1.pager.k8s.co kubecon-alert -o jsonpath='{.status.sent}')" = true ] &&
		[ "$(kubectl get alerts.v1beta1.pager.k8s.co kubecon-alert -o jsonpath='{.spec.content}')" = 'Hello KubeCon :wave:' ]
}
has_both_versions || fail "the Alert is not the same in both versions"
[ "$(kubectl get alerts.v1alpha1.pager.k8s.co kubecon-alert -o jsonpath='{.spec.message}')" = 'Hello KubeCon :wave:' ] ||
	fail "v1alpha1 has no message"

say "the samples of a database provision it"
create_service
log_in example-mysql-secret

say "a killed operator completes its operations at the broker, and repeats none"
kubectl apply -f - <<-EOT
	apiVersion: servicecatalog.k8s.io/v1beta1
	kind: ServiceInstance
	metadata: {name: flexible}
	spec: {clusterServiceClassExternalName: azure-mysql-flexible, clusterServicePlanExternalName: burstable10}
	---
	apiVersion: servicecatalog.k8s.io/v1beta1
	kind: ServiceBinding
	metadata: {name: flexible}
	spec: {instanceRef: {name: flexible}}
EOT
kubectl wait --for=jsonpath='{.status.asyncOpInProgress}'=true --timeout=60s serviceinstance/flexible
kill_leader
kubectl wait --for=condition=Ready --timeout=120s serviceinstance/flexible servicebinding/flexible
log_in flexible
kubectl delete --wait=false servicebinding/flexible serviceinstance/flexible
kubectl wait --for=jsonpath='{.status.asyncOpInProgress}'=true --timeout=60s serviceinstance/flexible
kill_leader
kubectl wait --for=delete --timeout=120s servicebinding/flexible serviceinstance/flexible
[ "$(count_requests provision) $(count_requests bind) $(count_requests unbind) $(count_requests deprovision)" = "2 2 1 1" ] || fail "the broker got a request twice"

say "make undeploy keeps the objects, and they can be edited; v1alpha1 is refused"
id=$(kubectl get configmap --namespace bellhop-system cluster-info -o jsonpath='{.data.id}')
make undeploy |& tee "$work/undeployed"
grep -q 'Secret/mysql-broker' "$work/undeployed" || fail "make undeploy did not report that the namespace stays for the broker's Secret"
grep -q 'ConfigMap cluster-info' "$work/undeployed" || fail "make undeploy did not report that the namespace stays for the cluster's id"
[ "$(kubectl get alert kubecon-alert -o jsonpath='{.spec.content}')" = 'Hello KubeCon :wave:' ] || fail "the Alert was changed or deleted with the operator"
kubectl label alert kubecon-alert edited-while=away
! kubectl apply -f $samples/pager_v1alpha1_alert.yaml 2>"$work/refused" || fail "v1alpha1 was accepted without a conversion webhook"
grep -q 'conversion webhook' "$work/refused" || fail "v1alpha1 was refused for another reason: $(cat "$work/refused")"
log_in example-mysql-secret

say "make deploy again sends nothing twice"
make deploy
eventually 30 has_both_versions
kubectl annotate alert kubecon-alert "seen-by=$(hostname)"
kubectl patch serviceinstance example-mysql-instance --type=merge -p '{"spec":{"clusterServicePlanExternalName":"standard100"}}'
kubectl wait --for=jsonpath='{.status.externalProperties.clusterServicePlanExternalName}'=standard100 --timeout=60s serviceinstance/example-mysql-instance
kubectl wait --for=condition=Ready --timeout=60s serviceinstance/example-mysql-instance servicebinding/example-mysql-binding
sleep 5
[ "$(grep -c 'Hello KubeCon' "$work/inbox.log")" = 1 ] || fail "sent more than once: $(cat "$work/inbox.log")"
[ "$(count_requests provision) $(count_requests update) $(count_requests bind)" = "2 1 2" ] || fail "the broker got a request twice"
[ "$(kubectl get configmap --namespace bellhop-system cluster-info -o jsonpath='{.data.id}')" = "$id" ] || fail "the cluster has another id"

say "after all objects are deleted, nothing is left"
kubectl delete --timeout=60s alert/kubecon-alert servicebinding/example-mysql-binding
kubectl delete --timeout=60s serviceinstance/example-mysql-instance
[ "$(grep -c ' made ' "$work/broker.log")" = "$(grep -c ' removed ' "$work/broker.log")" ] || fail "the broker still has databases or users"
kubectl delete --timeout=60s clusterreceiver/inbox clusterservicebroker/mysql
kubectl delete --timeout=60s --namespace bellhop-system secret/mysql-broker

say "the plugin reaches a database that is a Pod, through a tunnel"
run_broker_pod
kubectl bellhop register mysql-pod --url http://mysql.mysql.svc --username bellhop --password-stdin --wait --timeout 60s <<<"$BROKER_PASSWORD"
kubectl bellhop provision orders --class azure-mysql --plan basic50 --wait --timeout 60s
kubectl bellhop bind orders --wait --timeout 60s
! kubectl bellhop exec orders --prefix DB_ -- "$work/login" || fail "the database is reachable without a tunnel"
kubectl bellhop connect orders --prefix DB_ -- "$work/login" | tee "$work/connected"
grep -q 'Logged in as' "$work/connected" || fail "no login through the tunnel"
rc=0
kubectl bellhop connect orders -- sh -c 'exit 7' || rc=$?
[ $rc = 7 ] || fail "connect ended with $rc, and its command with 7"
kubectl bellhop connect orders >"$work/tunnel" 2>&1 &
tunnel=$!
pids+=("$tunnel")
eventually 30 grep "^export uri='mysql://.*@127.0.0.1:" "$work/tunnel"
kubectl delete pod --namespace mysql --selector app=mysql
rc=0
wait "$tunnel" || rc=$?
[ $rc = 1 ] || fail "connect ended with $rc after its Pod was deleted"
grep -q 'the connection to Pod mysql/mysql-.* was lost' "$work/tunnel" || fail "connect did not report the loss: $(cat "$work/tunnel")"
kubectl rollout status --timeout=60s --namespace mysql deployment/mysql
kubectl bellhop unbind orders --wait --timeout 60s # the new Pod knows nothing of it, which is as good
kubectl bellhop deprovision orders --wait --timeout 60s
kubectl bellhop deregister mysql-pod --wait --timeout 60s
kubectl delete --timeout=60s --namespace bellhop-system secret/mysql-pod-broker
kubectl delete --timeout=60s namespace mysql
make undeploy
make uninstall
is_uninstalled || fail "installed objects are left"

say "make uninstall refuses while there are objects"
make deploy
create_receiver_and_broker
kubectl apply -f $samples/pager_v1alpha1_alert.yaml
create_service
! make uninstall || fail "make uninstall deleted CRDs with objects"
kubectl get alert/kubecon-alert serviceinstance/example-mysql-instance

say "make uninstall FORCE=1 names what it abandons"
make uninstall FORCE=1 | tee "$work/abandoned"
for object in alerts.pager.k8s.co\ default/kubecon-alert serviceinstances.servicecatalog.k8s.io\ default/example-mysql-instance; do
	grep -q "abandoned: $object" "$work/abandoned" || fail "make uninstall did not print $object"
done
[ -z "$(kubectl get secret --namespace bellhop-system mysql-broker -o jsonpath='{.metadata.finalizers}')" ] || fail "the broker's Secret still has its finalizer"
[ "$(count_requests unbind) $(count_requests deprovision)" = "2 2" ] || fail "a service was removed with a CRD"
kubectl delete --timeout=60s --namespace bellhop-system secret/mysql-broker
make undeploy
is_uninstalled || fail "installed objects are left"
say "all steps succeeded"
