// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"encoding/json"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/gophernetes/bellhop/demo/inbox"
)

// program is a program of the demo that runs as a Pod behind a Service of its name.
type program struct {
	name, image string
	// Lists in YAML.
	args, env, ports, servicePorts string
}

// deploy runs programs in a namespace that enforces the Pod Security Standard restricted, and waits until they are ready.
func deploy(ctx context.Context, namespace string, programs ...program) {
	GinkgoHelper()
	apply(ctx, "{apiVersion: v1, kind: Namespace, metadata: {name: "+namespace+", labels: {pod-security.kubernetes.io/enforce: restricted}}}")
	for _, p := range programs {
		apply(ctx, strings.NewReplacer("NAMESPACE", namespace, "NAME", p.name, "IMAGE", p.image, "ARGS", p.args, "ENV", p.env, "SERVICE_PORTS", p.servicePorts, "PORTS", p.ports).Replace(`
apiVersion: v1
kind: Service
metadata: {name: NAME, namespace: NAMESPACE}
spec: {selector: {app: NAME}, ports: SERVICE_PORTS}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: NAMESPACE}
spec:
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: NAME
        image: IMAGE
        args: ARGS
        env: ENV
        ports: PORTS
        readinessProbe: {tcpSocket: {port: http}, periodSeconds: 1}
        securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
`))
	}
	for _, p := range programs {
		kubectl(ctx, "rollout status --timeout=90s --namespace "+namespace+" deployment/"+p.name)
	}
}

// brokerIn is the broker with its database, which applications reach by the Service.
func brokerIn(namespace string) program {
	return program{
		name: "mysql", image: imageOf("demo-broker"),
		args:         `[-verbose, "-listen=:8080", "-mysql=:3306", -host=mysql.` + namespace + `.svc, -delay=5s]`,
		env:          "[{name: BROKER_PASSWORD, value: " + brokerPassword + "}]",
		ports:        "[{name: http, containerPort: 8080}, {name: sql, containerPort: 3306}]",
		servicePorts: "[{name: broker, port: 80, targetPort: http}, {name: sql, port: 3306, targetPort: sql}]",
	}
}

const brokerPassword = "change-me"

// startOutside runs inbox and broker. They stay until the suite ends.
func startOutside(ctx context.Context) {
	GinkgoHelper()
	deploy(ctx, outside, brokerIn(outside), program{
		name: "inbox", image: imageOf("demo-inbox"), args: `[-unsigned, "-listen=:8080"]`, env: "[]",
		ports: "[{name: http, containerPort: 8080}]", servicePorts: "[{port: 80, targetPort: http}]",
	})
}

// messages returns what the inbox has received.
func messages(ctx context.Context) []inbox.Message {
	GinkgoHelper()
	var received []inbox.Message
	out := kubectl(ctx, "get --raw /api/v1/namespaces/"+outside+"/services/inbox:80/proxy/messages")
	Expect(json.Unmarshal([]byte(out), &received)).To(Succeed())
	return received
}

// messagesAbout returns the messages about the Alerts of a namespace.
func messagesAbout(ctx context.Context, namespace string) (about []inbox.Message) {
	GinkgoHelper()
	for _, m := range messages(ctx) {
		if m.Namespace == namespace {
			about = append(about, m)
		}
	}
	return about
}

// brokerLog is what the broker has printed.
type brokerLog string

func readBrokerLog(ctx context.Context) brokerLog {
	GinkgoHelper()
	return brokerLog(kubectl(ctx, "logs --namespace "+outside+" deployment/mysql --tail=-1"))
}

// requests counts the requests of a kind, such as "provision".
func (l brokerLog) requests(kind string) int { return strings.Count(string(l), " "+kind+", answered") }

// carriedOut counts those of them that were not answered by 410: a deletion ends with another request, whose 410 confirms that nothing is left.
func (l brokerLog) carriedOut(kind string) int {
	return l.requests(kind) - strings.Count(string(l), " "+kind+", answered 410")
}

// made and removed count databases and users.
func (l brokerLog) made() int {
	return strings.Count(string(l), " provisioned ") + strings.Count(string(l), " bound ")
}
func (l brokerLog) removed() int {
	return strings.Count(string(l), " deprovisioned ") + strings.Count(string(l), " unbound ")
}

// connectOutside creates the objects of a platform team: a receiver that is everybody's default, and a broker.
func connectOutside(ctx SpecContext) {
	GinkgoHelper()
	apply(ctx, strings.NewReplacer("SYSTEM", system, "OUTSIDE", outside).Replace(`
apiVersion: pager.k8s.co/v1beta1
kind: ClusterReceiver
metadata: {name: inbox, annotations: {pager.k8s.co/is-default-receiver: "true"}}
spec:
  webhook: {url: "http://inbox.OUTSIDE.svc/"}
  namespaceSelector: {}
---
apiVersion: v1
kind: Secret
metadata: {name: mysql-broker, namespace: SYSTEM}
stringData: {username: bellhop, password: change-me}
---
apiVersion: servicecatalog.k8s.io/v1beta1
kind: ClusterServiceBroker
metadata: {name: mysql}
spec:
  url: http://mysql.OUTSIDE.svc
  authInfo: {basic: {secretRef: {name: mysql-broker, namespace: SYSTEM}}}
`))
	kubectl(ctx, "wait --for=condition=Ready --timeout=60s clusterservicebroker/mysql clusterreceiver/inbox")
}

// disconnectOutside deletes them.
func disconnectOutside(ctx context.Context) {
	GinkgoHelper()
	kubectl(ctx, "delete --timeout=60s clusterreceiver/inbox clusterservicebroker/mysql")
	kubectl(ctx, "delete --timeout=60s --namespace "+system+" secret/mysql-broker")
}

// logIn runs a Pod that logs in to a database with the Secret of a binding.
func logIn(ctx context.Context, secret string) {
	GinkgoHelper()
	apply(ctx, strings.NewReplacer("IMAGE", imageOf("demo-login"), "SECRET", secret).Replace(`
apiVersion: v1
kind: Pod
metadata: {name: login-SECRET, namespace: default}
spec:
  restartPolicy: Never
  containers:
  - {name: login, image: IMAGE, envFrom: [{prefix: DB_, secretRef: {name: SECRET}}]}
`))
	defer kubectl(ctx, "delete --namespace default pod/login-"+secret)
	if out, err := try(ctx, "", "kubectl", "wait", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s", "--namespace=default", "pod/login-"+secret); err != nil {
		Fail(out + kubectl(ctx, "logs --namespace default login-"+secret))
	}
}
