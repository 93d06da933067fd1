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
	"sync"
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
	"github.com/gophernetes/bellhop/internal/walktest"
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
		golden.WriteString("Exit codes, and what is left: the objects that were created, and with - those that were deleted.\n" +
			"An interrupted command may also end as it does to its end.\n\n" +
			"command | no rights | half of the rights | dead server | interrupted at each request | to its end | the same once more\n")
		for _, name := range slices.Sorted(maps.Keys(commandCases)) {
			c := commandCases[name]
			t.next(c)
			none := t.result(ctx, "--as=jane")
			half := "-"
			if c.half != "" {
				t.allow(ctx, strings.ReplaceAll(name, " ", "-"), c.half)
				half = t.result(ctx, "--as="+strings.ReplaceAll(name, " ", "-"))
			}
			dead := t.result(ctx, "--server=https://127.0.0.1:1")
			once := t.run(ctx, 0)
			again := t.rerun(ctx)
			interrupted := t.interruptEach(ctx, name, once)
			fmt.Fprintf(&golden, "%s | %s | %s | %s | %s | %s | %s\n", c.args, none, half, dead, interrupted, once.cell(), again.cell())
		}
		t.next(commandCase{args: "page text --to=receiver/team"})
		page := t.run(ctx, 1)
		_, name, _ := strings.Cut(page.left, "alert/")
		Expect(page.out).To(SatisfyAll(ContainSubstring("alert.pager.k8s.co/"+name), MatchRegexp(`page-\w{5}`)), "an Alert with a random name, of which nothing else says that it may exist")

		GinkgoWriter.Println(golden.String())
		Expect(t.problems).To(BeEmpty())
		matchGolden("commands", strings.ReplaceAll(golden.String(), t.namespace, "NAMESPACE"))
	})
})

// table runs command lines, and knows what they leave.
type table struct {
	*transcript
	proxy *steps
	// current is the command line, and name is what its NAME is. Runs that write nothing have the same name, and the same objects.
	current commandCase
	name    string
	names   int
	// before are the objects of each resource before the first write since name was set.
	before map[string]map[string]bool
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

	t.proxy = &steps{next: newProxy(), objects: func(resource string) (map[string]bool, error) { return t.objects(ctx, resource) }}
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

// next goes on with another command line.
func (t *table) next(c commandCase) { t.current, t.name = c, "" }

// prepare sets a name for a run, with the objects that the run needs, unless there is one whose objects no run has changed.
func (t *table) prepare(ctx context.Context) {
	GinkgoHelper()
	if t.name != "" && len(t.before) == 0 {
		return
	}
	t.names++
	t.name, t.before = fmt.Sprintf("run-%d", t.names), map[string]map[string]bool{}
	if t.current.needs != nil {
		t.current.needs(ctx, t.namespace, t.name)
	}
}

// command returns a run of the plugin.
func (t *table) command(ctx context.Context, flags ...string) *exec.Cmd {
	args := strings.NewReplacer("NAMESPACE", t.namespace, "NAME", t.name).Replace(t.current.args)
	cmd := exec.CommandContext(ctx, filepath.Join(pluginDir, "kubectl-bellhop"), append(flags, strings.Fields(args)...)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+t.proxied(), "HOME="+t.home)
	cmd.Stdin = strings.NewReader(t.current.input)
	return cmd
}

// outcome is what a run of the plugin has done.
type outcome struct {
	code      int
	out, left string
	// requests is how many requests it has sent. Wrote says that one of them was a write.
	requests int
	wrote    bool
}

func (o outcome) cell() string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", o.code, randomName.ReplaceAllString(o.left, "test-alert-RANDOM")))
}

// run runs the plugin, and interrupts it at a request; 0: never.
func (t *table) run(ctx context.Context, step int, flags ...string) outcome {
	GinkgoHelper()
	t.prepare(ctx)
	return t.execute(ctx, t.command(ctx, flags...), step)
}

// rerun runs the plugin with the name of the run before. Left is what both have left.
func (t *table) rerun(ctx context.Context) outcome {
	GinkgoHelper()
	return t.execute(ctx, t.command(ctx), 0)
}

// execute runs the plugin. Only objects that it writes are listed: nothing else can change what it leaves.
func (t *table) execute(ctx context.Context, cmd *exec.Cmd, step int) outcome {
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
	before, requests, err := t.proxy.end()
	Expect(err).NotTo(HaveOccurred())
	for resource, objects := range before {
		if _, known := t.before[resource]; !known {
			t.before[resource] = objects
		}
	}
	var left []string
	for resource, objects := range t.before {
		after, err := t.objects(ctx, resource)
		Expect(err).NotTo(HaveOccurred())
		left = append(left, changes(objects, after)...)
	}
	slices.Sort(left)
	return outcome{
		code: cmd.ProcessState.ExitCode(), out: output.String(), left: strings.ReplaceAll(strings.Join(left, " "), t.name, "NAME"),
		requests: requests, wrote: len(before) > 0,
	}
}

// result is the exit code of a run with these flags, and what it leaves. What it leaves of several writes, it says.
func (t *table) result(ctx context.Context, flags ...string) string {
	GinkgoHelper()
	o := t.run(ctx, 0, flags...)
	for object := range strings.FieldsSeq(o.left) {
		_, named, _ := strings.Cut(object, "/")
		named, _, _ = strings.Cut(named, "=")
		if !strings.Contains(o.out, strings.ReplaceAll(named, "NAME", t.name)) {
			t.problem("%s %s leaves %s, and says %q", t.current.args, flags, o.left, o.out)
		}
	}
	return o.cell()
}

func (t *table) problem(format string, args ...any) {
	t.problems = append(t.problems, fmt.Sprintf(format, args...))
}

// randomName is the name of an Alert of the command test.
var randomName = regexp.MustCompile(`test-alert-\w{5}`)

// maxSteps bounds the requests of a command at which it is interrupted.
const maxSteps = 12

// steps are the requests at which a command is interrupted: each. Where it writes nothing, only the first and the last one in the gate.
func (o outcome) steps() []int {
	all := min(o.requests, maxSteps)
	if !o.wrote && walktest.Count(2, maxSteps) == 2 {
		return slices.Compact([]int{min(1, all), all})
	}
	var steps []int
	for step := range all {
		steps = append(steps, step+1)
	}
	return steps
}

// interruptEach interrupts a command at its requests. Once is its run to its end.
func (t *table) interruptEach(ctx context.Context, name string, once outcome) string {
	GinkgoHelper()
	allowed := []string{once.cell(), "130", strings.TrimSpace("130 " + once.left)}
	for _, between := range t.current.between {
		allowed = append(allowed, "130 "+between)
	}
	var results []string
	for _, step := range once.steps() {
		if step == 0 { // it has no requests
			continue
		}
		o := t.run(ctx, step)
		result := o.cell()
		if o.code == 130 && !strings.HasSuffix(o.out, "interrupted\n") {
			t.problem("%s, interrupted at request %d, says %q", name, step, o.out)
		}
		if !slices.Contains(allowed, result) {
			t.problem("%s, interrupted at request %d: %q is not one of %q", name, step, result, allowed)
		}
		// How many requests a command needs may depend on the operator, so that it may have ended before this one.
		if result != once.cell() && !slices.Contains(results, result) {
			results = append(results, result)
		}
	}
	slices.Sort(results)
	return strings.Join(results, ", ")
}

// steps is a proxy before the API server, which interrupts a command at one of its requests, and sees whether it writes.
type steps struct {
	next    http.Handler
	objects func(resource string) (map[string]bool, error)

	mu          sync.Mutex
	step, count int
	interrupt   func()
	// before are the objects of each resource before the first write to it.
	before map[string]map[string]bool
	err    error
}

// begin is called before a run.
func (s *steps) begin(step int, interrupt func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.step, s.interrupt, s.count, s.before, s.err = step, interrupt, 0, map[string]map[string]bool{}, nil
}

// end returns what a run has written to, with the objects before that, and how many requests it has sent.
func (s *steps) end() (before map[string]map[string]bool, requests int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.before, s.count, s.err
}

// arrive counts a request, and returns how to interrupt the command; nil: it is not interrupted at this request.
func (s *steps) arrive(r *http.Request) (interrupt func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if resource := writes(r); resource != "" && s.before[resource] == nil && s.err == nil {
		s.before[resource], s.err = s.objects(resource)
	}
	if s.count++; s.count == s.step {
		return s.interrupt
	}
	return nil
}

// writes returns the resource whose objects a request can change; empty: it changes nothing.
func writes(r *http.Request) string {
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	isReview := strings.HasSuffix(r.URL.Path, "reviews") // of the user's rights and name
	if r.Method == http.MethodGet || isReview || r.URL.Query().Has("dryRun") {
		return ""
	}
	if at := slices.Index(path, "namespaces"); at >= 0 && at+2 < len(path) {
		return path[at+2]
	}
	return r.URL.Path
}

// holdFor is how long an answer is held: the command has noticed the signal before. Requests that an interrupt does not cancel wait for it.
const holdFor = 300 * time.Millisecond

func (s *steps) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	interrupt := s.arrive(r)
	if interrupt == nil {
		s.next.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	if isWatch := r.URL.Query().Has("watch"); !isWatch { // a watch has no end
		s.next.ServeHTTP(answer, r.WithContext(context.WithoutCancel(r.Context())))
	}
	interrupt()
	select {
	case <-r.Context().Done():
		return
	case <-time.After(holdFor):
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // the command may have ended
}

// lists are the resources that commands write.
var lists = map[string]client.ObjectList{
	"alerts": &pagerv1beta1.AlertList{}, "receivers": &pagerv1beta1.ReceiverList{}, "secrets": &corev1.SecretList{}, "deployments": &appsv1.DeploymentList{},
	"servicebrokers": &servicecatalogv1beta1.ServiceBrokerList{}, "serviceinstances": &servicecatalogv1beta1.ServiceInstanceList{},
	"servicebindings": &servicecatalogv1beta1.ServiceBindingList{},
}

// objects are the objects of a resource in the namespace. Alerts that are resolved, receivers that are suspended and Deployments that are
// watched are named so.
func (t *table) objects(ctx context.Context, resource string) (map[string]bool, error) {
	list, known := lists[resource]
	if !known {
		return nil, fmt.Errorf("a command writes %s", resource)
	}
	list = list.DeepCopyObject().(client.ObjectList)
	if err := env.Client.List(ctx, list, client.InNamespace(t.namespace)); err != nil {
		return nil, err
	}
	found := map[string]bool{}
	return found, meta.EachListItem(list, func(item runtime.Object) error {
		o := item.(client.Object)
		isBindings := slices.ContainsFunc(o.GetOwnerReferences(), func(r metav1.OwnerReference) bool { return r.Kind == "ServiceBinding" })
		if o.GetDeletionTimestamp() != nil || isBindings { // the operator makes the Secret of a binding some time later
			return nil
		}
		gvk, err := env.Client.GroupVersionKindFor(o)
		found[strings.ToLower(gvk.Kind)+"/"+o.GetName()+stateOfObject(o)] = true
		return err
	})
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

// changes are the objects that are new, and with - those that are gone.
func changes(before, after map[string]bool) (changed []string) {
	for object := range after {
		if !before[object] {
			changed = append(changed, object)
		}
	}
	for object := range before {
		if !after[object] {
			changed = append(changed, "-"+object)
		}
	}
	return changed
}
