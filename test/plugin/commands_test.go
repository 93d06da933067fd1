// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/injectionrules"
)

// commandCase is a command line of a command. NAME is another name in each run.
type commandCase struct {
	args, input string
	// half are the rights of a user who may do the first of the command's writes, or read what it reads: RESOURCE.GROUP:VERB,VERB ...
	half string
	// needs creates the objects that the command deletes or changes.
	needs func(ctx context.Context, namespace, name string)
	// between are what an interrupt may leave, beside nothing and what the command leaves.
	between []string
}

// commandCases has a command line for each command of the plugin.
var commandCases = map[string]commandCase{
	"adopt":  {args: "adopt NAME --class=queue --external-id=NAME", half: "serviceinstances.servicecatalog.k8s.io:create"},
	"alerts": {args: "alerts disk", half: "alerts.pager.k8s.co:list"},
	"bind": {
		args: "bind orders --name=NAME --inject=deploy/NAME", half: "servicebindings.servicecatalog.k8s.io:create deployments.apps:get",
		needs: createNamedDeployment(""), between: []string{"servicebinding/NAME"},
	},
	"completion bash":       {args: "completion bash"},
	"completion fish":       {args: "completion fish"},
	"completion powershell": {args: "completion powershell"},
	"completion zsh":        {args: "completion zsh"},
	"connect":               {args: "connect orders", half: "servicebindings.servicecatalog.k8s.io:get"},
	"creds":                 {args: "creds orders", half: "servicebindings.servicecatalog.k8s.io:get"},
	"deprovision": {
		args: "deprovision NAME --unbind", half: "serviceinstances.servicecatalog.k8s.io:get servicebindings.servicecatalog.k8s.io:list,delete",
		needs: createInstanceAndBinding, between: []string{"-servicebinding/NAME"},
	},
	"deregister": {
		args: "deregister NAME --namespaced", half: "servicebrokers.servicecatalog.k8s.io:get,delete serviceinstances.servicecatalog.k8s.io:list secrets:get",
		needs: createRegistered,
	},
	"describe":    {args: "describe alert/disk", half: "alerts.pager.k8s.co:get"},
	"doctor":      {args: "doctor --operator-namespace=NAMESPACE", half: "alerts.pager.k8s.co:list"},
	"exec":        {args: "exec orders -- true", half: "servicebindings.servicecatalog.k8s.io:get"},
	"exit-codes":  {args: "exit-codes"},
	"help":        {args: "help page"},
	"marketplace": {args: "marketplace --broker=acme", half: "serviceclasses.servicecatalog.k8s.io:list"},
	"options":     {args: "options"},
	"page":        {args: "page text --to=team --name=NAME --wait", half: "receivers.pager.k8s.co:get alerts.pager.k8s.co:create"},
	"plans":       {args: "plans queue", half: "serviceclasses.servicecatalog.k8s.io:list"},
	"provision":   {args: "provision NAME --class=queue", half: "serviceinstances.servicecatalog.k8s.io:create"},
	"register":    {args: "register NAME --namespaced --url=http://127.0.0.1:9 --token-stdin", input: "token\n", half: "secrets:create,get,delete"},
	"relist":      {args: "relist idle --namespaced", half: "servicebrokers.servicecatalog.k8s.io:get"},
	"resend":      {args: "resend disk", half: "alerts.pager.k8s.co:get"},
	"resolve":     {args: "resolve NAME", half: "alerts.pager.k8s.co:get", needs: createNamedAlert},
	"resume":      {args: "resume NAME", half: "receivers.pager.k8s.co:get", needs: createNamedReceiver(true)},
	"retain":      {args: "retain orders", half: "serviceinstances.servicecatalog.k8s.io:get"},
	"rotate":      {args: "rotate orders --dry-run=server", half: "servicebindings.servicecatalog.k8s.io:get"},
	"schema":      {args: "schema queue", half: "serviceclasses.servicecatalog.k8s.io:list"},
	"source":      {args: "source prometheus --operator-namespace=NAMESPACE", half: "alertsources.pager.k8s.co:get"},
	"suspend":     {args: "suspend NAME", half: "receivers.pager.k8s.co:get", needs: createNamedReceiver(false)},
	"test":        {args: "test receiver/team", half: "receivers.pager.k8s.co:get alerts.pager.k8s.co:create,list,watch"},
	"tree":        {args: "tree alert/disk", half: "alerts.pager.k8s.co:get"},
	"unbind":      {args: "unbind NAME", half: "servicebindings.servicecatalog.k8s.io:get", needs: createInstanceAndBinding},
	"unwatch":     {args: "unwatch deploy/NAME", half: "deployments.apps:get", needs: createNamedDeployment("true")},
	"update":      {args: "update orders --repeat --dry-run=server", half: "serviceinstances.servicecatalog.k8s.io:get"},
	"upgrade":     {args: "upgrade orders", half: "serviceinstances.servicecatalog.k8s.io:get"},
	"version":     {args: "version", half: "deployments.apps:list"},
	"watch":       {args: "watch deploy/NAME", half: "deployments.apps:get", needs: createNamedDeployment("")},
}

func createInstanceAndBinding(ctx context.Context, namespace, name string) {
	i := &servicecatalogv1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	i.Spec.ClusterServiceClassExternalName, i.Spec.ClusterServicePlanExternalName = "queue", "standard"
	Expect(env.Client.Create(ctx, i)).To(Succeed())
	b := &servicecatalogv1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	b.Spec.InstanceRef.Name = name
	Expect(env.Client.Create(ctx, b)).To(Succeed())
}

// createRegistered creates what register does.
func createRegistered(ctx context.Context, namespace, name string) {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: name, Annotations: map[string]string{servicecatalogv1beta1.RegisteredForAnnotation: "ServiceBroker/" + name},
	}}
	Expect(env.Client.Create(ctx, s)).To(Succeed())
	b := &servicecatalogv1beta1.ServiceBroker{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	b.Spec.URL = "http://127.0.0.1:9"
	b.Spec.AuthInfo = &servicecatalogv1beta1.AuthInfo{Bearer: &servicecatalogv1beta1.SecretAuth{SecretRef: &servicecatalogv1beta1.ObjectReference{Name: name}}}
	Expect(env.Client.Create(ctx, b)).To(Succeed())
}

func createNamedAlert(ctx context.Context, namespace, name string) {
	createAlertTo(ctx, namespace, name, "team")
}

func createNamedReceiver(isSuspended bool) func(ctx context.Context, namespace, name string) {
	return func(ctx context.Context, namespace, name string) {
		r := &pagerv1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
		r.Spec.Webhook = &pagerv1beta1.WebhookProvider{URL: "http://127.0.0.1:9"}
		r.Spec.Suspend = isSuspended
		Expect(env.Client.Create(ctx, r)).To(Succeed())
	}
}

// createNamedDeployment returns a function that creates a Deployment whose label for pages has a value.
func createNamedDeployment(page string) func(ctx context.Context, namespace, name string) {
	return func(ctx context.Context, namespace, name string) {
		labels := map[string]string{"app": name}
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: maps.Clone(labels)}}
		if page != "" {
			d.Labels[pagerv1beta1.PageLabel] = page
		}
		d.Spec.Replicas, d.Spec.Selector, d.Spec.Template.Labels = new(int32(0)), &metav1.LabelSelector{MatchLabels: labels}, labels
		d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "shop", Image: "shop"}}
		Expect(env.Client.Create(ctx, d)).To(Succeed())
	}
}

// F-U18, F-U19, F-U22
var _ = Describe("Each command", func() {
	It("leaves what it says, and ends with the exit code that it says, whatever keeps it from its end", func(ctx SpecContext) {
		t := newTable(ctx)
		Expect(slices.Sorted(maps.Keys(commandCases))).To(Equal(t.commands(ctx, "")), "each command of the plugin needs a row")
		var golden strings.Builder
		golden.WriteString("Exit codes, and what is left: the objects that were created, and with - those that were deleted.\n\n" +
			"command | no rights | half of the rights | dead server | interrupted at each request | to its end | the same once more\n")
		for _, name := range slices.Sorted(maps.Keys(commandCases)) {
			c := commandCases[name]
			none := t.result(ctx, c, "--as=jane")
			half := "-"
			if c.half != "" {
				t.allow(ctx, strings.ReplaceAll(name, " ", "-"), c.half)
				half = t.result(ctx, c, "--as="+strings.ReplaceAll(name, " ", "-"))
			}
			dead := t.result(ctx, c, "--server=https://127.0.0.1:1")
			interrupted, once, again := t.interruptEach(ctx, name, c)
			fmt.Fprintf(&golden, "%s | %s | %s | %s | %s | %s | %s\n", c.args, none, half, dead, interrupted, once, again)
		}
		GinkgoWriter.Println(golden.String())
		Expect(t.problems).To(BeEmpty())
		matchGolden("commands", strings.ReplaceAll(golden.String(), t.namespace, "NAMESPACE"))
	})
})

// table runs command lines, and knows what they leave.
type table struct {
	*transcript
	proxy *steps
	runs  int
	// problems are the runs that did or left something else than they said.
	problems []string
}

// newTable creates a namespace with the objects that the command lines name.
func newTable(ctx context.Context) *table {
	GinkgoHelper()
	t := &table{transcript: newTranscript(ctx)}
	startInbox(ctx, t.namespace, "team")
	createInstanceAndBinding(ctx, t.namespace, "orders")
	source := &pagerv1beta1.AlertSource{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: "prometheus"}}
	source.Spec.SecretRef = &pagerv1beta1.SecretReference{Name: "senders"}
	Expect(env.Client.Create(ctx, source)).To(Succeed())
	createBroker(ctx, t.namespace, "idle", "http://127.0.0.1:9")
	out, code := t.try(ctx, "kubectl label namespace "+t.namespace+" "+injectionrules.NamespaceSelector)
	Expect(code).To(BeZero(), out)
	waitForCondition(ctx, createAlertTo(ctx, t.namespace, "disk", "team"), "Ready")
	waitForCondition(ctx, &servicecatalogv1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: "orders"}}, "Ready")

	t.proxy = &steps{next: newProxy()}
	t.startProxied(t.proxy)
	return t
}

// commands returns the commands of the plugin's tree, as its completion lists them.
func (t *table) commands(ctx context.Context, parent string) (commands []string) {
	GinkgoHelper()
	out, _ := t.try(ctx, "kubectl-bellhop __complete "+parent+" '' 2>/dev/null")
	for line := range strings.Lines(out) {
		name, description, isCommand := strings.Cut(strings.TrimSpace(line), "\t")
		if !isCommand || description == "" {
			continue
		}
		if name == "completion" {
			commands = append(commands, t.commands(ctx, name)...)
		} else {
			commands = append(commands, strings.TrimSpace(parent+" "+name))
		}
	}
	slices.Sort(commands)
	return commands
}

// allow gives a user rights in the namespace.
func (t *table) allow(ctx context.Context, user, rights string) {
	GinkgoHelper()
	named := metav1.ObjectMeta{Namespace: t.namespace, Name: user}
	role := &rbacv1.Role{ObjectMeta: named}
	for right := range strings.FieldsSeq(rights) {
		resource, verbs, _ := strings.Cut(right, ":")
		resource, group, _ := strings.Cut(resource, ".")
		role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: strings.Split(verbs, ",")})
	}
	Expect(env.Client.Create(ctx, role)).To(Succeed())
	Expect(env.Client.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: named, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	})).To(Succeed())
}

// prepare returns a name for a run, with the objects that the run needs.
func (t *table) prepare(ctx context.Context, c commandCase) string {
	GinkgoHelper()
	t.runs++
	name := fmt.Sprintf("run-%d", t.runs)
	if c.needs != nil {
		c.needs(ctx, t.namespace, name)
	}
	return name
}

// command returns a run of the plugin.
func (t *table) command(ctx context.Context, c commandCase, name, kubeconfig string, flags ...string) *exec.Cmd {
	args := strings.NewReplacer("NAMESPACE", t.namespace, "NAME", name).Replace(c.args)
	cmd := exec.CommandContext(ctx, filepath.Join(pluginDir, "kubectl-bellhop"), append(flags, strings.Fields(args)...)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "HOME="+t.home)
	cmd.Stdin = strings.NewReader(c.input)
	return cmd
}

// run runs the plugin to its end, and returns the exit code and the output.
func (t *table) run(cmd *exec.Cmd) (int, string) {
	GinkgoHelper()
	out, err := cmd.CombinedOutput()
	Expect(cmd.ProcessState).NotTo(BeNil(), "%v", err)
	return cmd.ProcessState.ExitCode(), string(out)
}

// result is the exit code of a run with these flags, and what it leaves. What it leaves of several writes, it says.
func (t *table) result(ctx context.Context, c commandCase, flags ...string) string {
	GinkgoHelper()
	name := t.prepare(ctx, c)
	before := t.objects(ctx)
	code, out := t.run(t.command(ctx, c, name, t.kubeconfig, flags...))
	left := changes(before, t.objects(ctx), name)
	for object := range strings.FieldsSeq(left) {
		_, named, _ := strings.Cut(object, "/")
		named, _, _ = strings.Cut(named, "=")
		if !strings.Contains(out, strings.ReplaceAll(named, "NAME", name)) {
			t.problem("%s %s leaves %s, and says %q", c.args, flags, left, out)
		}
	}
	return cell(code, left)
}

func (t *table) problem(format string, args ...any) {
	t.problems = append(t.problems, fmt.Sprintf(format, args...))
}

// randomName is the name of an Alert of the command test.
var randomName = regexp.MustCompile(`test-alert-\w{5}`)

func cell(code int, left string) string {
	left = randomName.ReplaceAllString(left, "test-alert-RANDOM")
	return strings.TrimSpace(fmt.Sprintf("%d %s", code, left))
}

// maxSteps bounds the requests of a command at which it is interrupted.
const maxSteps = 12

// interruptEach interrupts a command at its first request, and at each later one until it ends before. Then it runs the command to its end, and
// once more.
func (t *table) interruptEach(ctx context.Context, name string, c commandCase) (interrupted, once, again string) {
	GinkgoHelper()
	var results []string
	for step := 1; step <= maxSteps; step++ {
		object := t.prepare(ctx, c)
		before := t.objects(ctx)
		code, out, wasInterrupted := t.interruptAt(step, t.command(ctx, c, object, t.proxied()))
		left := changes(before, t.objects(ctx), object)
		if !wasInterrupted {
			once = cell(code, left)
			code, _ := t.run(t.command(ctx, c, object, t.kubeconfig))
			again = cell(code, changes(before, t.objects(ctx), object))
			break
		}
		if code == 130 && !strings.HasSuffix(out, "interrupted\n") {
			t.problem("%s, interrupted at request %d, says %q", name, step, out)
		}
		if result := cell(code, left); !slices.Contains(results, result) {
			results = append(results, result)
		}
	}
	if once == "" { // it has more requests
		object := t.prepare(ctx, c)
		before := t.objects(ctx)
		code, _ := t.run(t.command(ctx, c, object, t.kubeconfig))
		once = cell(code, changes(before, t.objects(ctx), object))
		again = once
	}
	allowed := []string{"130", strings.TrimSpace("130 " + strings.TrimSpace(strings.TrimLeft(once, "0123456789"))), once}
	for _, between := range c.between {
		allowed = append(allowed, "130 "+between)
	}
	for _, result := range results {
		if !slices.Contains(allowed, strings.TrimSpace(result)) {
			t.problem("%s, interrupted: %q is not one of %q", name, result, allowed)
		}
	}
	slices.Sort(results)
	return strings.Join(results, ", "), once, again
}

// interruptAt runs a command whose request of this number is executed, but answered only after the command was interrupted.
func (t *table) interruptAt(step int, cmd *exec.Cmd) (code int, out string, wasInterrupted bool) {
	GinkgoHelper()
	started := make(chan struct{})
	t.proxy.begin(step, func() {
		<-started
		_ = cmd.Process.Signal(os.Interrupt)
	})
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	Expect(cmd.Start()).To(Succeed())
	close(started)
	_ = cmd.Wait() // an exit code is no error here
	return cmd.ProcessState.ExitCode(), output.String(), t.proxy.wasReached()
}

// steps is a proxy before the API server, which interrupts a command at one of its requests.
type steps struct {
	next      http.Handler
	step      atomic.Int64
	count     atomic.Int64
	interrupt atomic.Pointer[func()]
}

func (s *steps) begin(step int, interrupt func()) {
	s.interrupt.Store(&interrupt)
	s.count.Store(0)
	s.step.Store(int64(step))
}

func (s *steps) wasReached() bool { return s.count.Load() >= s.step.Load() }

// holdFor is how long an answer is held: the command has noticed the signal before. Requests that an interrupt does not cancel wait for it.
const holdFor = 300 * time.Millisecond

func (s *steps) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.count.Add(1) != s.step.Load() {
		s.next.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	if isWatch := r.URL.Query().Has("watch"); !isWatch { // a watch has no end
		s.next.ServeHTTP(answer, r.WithContext(context.WithoutCancel(r.Context())))
	}
	(*s.interrupt.Load())()
	select {
	case <-r.Context().Done():
		return
	case <-time.After(holdFor):
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // the command may have ended
}

// objects are the objects of the namespace that commands create, change and delete. Alerts that are resolved, receivers that are suspended and
// Deployments that are watched are named so.
func (t *table) objects(ctx context.Context) map[string]bool {
	GinkgoHelper()
	found := map[string]bool{}
	for _, list := range []client.ObjectList{
		&pagerv1beta1.AlertList{}, &pagerv1beta1.ReceiverList{}, &corev1.SecretList{}, &servicecatalogv1beta1.ServiceBrokerList{},
		&servicecatalogv1beta1.ServiceInstanceList{}, &servicecatalogv1beta1.ServiceBindingList{}, &appsv1.DeploymentList{},
	} {
		Expect(env.Client.List(ctx, list, client.InNamespace(t.namespace))).To(Succeed())
		Expect(meta.EachListItem(list, func(item runtime.Object) error {
			o := item.(client.Object)
			isBindings := slices.ContainsFunc(o.GetOwnerReferences(), func(r metav1.OwnerReference) bool { return r.Kind == "ServiceBinding" })
			if o.GetDeletionTimestamp() != nil || isBindings { // the operator makes the Secret of a binding some time later
				return nil
			}
			gvk, err := env.Client.GroupVersionKindFor(o)
			found[strings.ToLower(gvk.Kind)+"/"+o.GetName()+stateOfObject(o)] = true
			return err
		})).To(Succeed())
	}
	return found
}

// stateOfObject is what a command may have changed of an object.
func stateOfObject(o client.Object) string {
	switch o := o.(type) {
	case *pagerv1beta1.Alert:
		if o.Spec.State == pagerv1beta1.AlertResolved {
			return "=resolved"
		}
	case *pagerv1beta1.Receiver:
		if o.Spec.Suspend {
			return "=suspended"
		}
	case *appsv1.Deployment:
		if o.Labels[pagerv1beta1.PageLabel] != "" {
			return "=watched"
		}
		if o.Spec.Template.Labels[servicecatalogv1beta1.InjectLabel] != "" {
			return "=injected"
		}
	}
	return ""
}

// changes are the objects that are new, and with - those that are gone, without the number of the run.
func changes(before, after map[string]bool, name string) string {
	var left []string
	for object := range after {
		if !before[object] {
			left = append(left, object)
		}
	}
	for object := range before {
		if !after[object] {
			left = append(left, "-"+object)
		}
	}
	slices.Sort(left)
	return strings.ReplaceAll(strings.Join(left, " "), name, "NAME")
}
