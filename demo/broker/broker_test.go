// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Services and plans of the catalog.
var (
	syncService, asyncService = services.Services[0], services.Services[1]
	basicPlan, standardPlan   = syncService.Plans[0], syncService.Plans[1]
	burstablePlan             = asyncService.Plans[0]
)

// Parameters of the sample.
var sampleParameters = object{
	"location": "eastus", "resourceGroup": "demo",
	"firewallRules": []object{{"name": "AllowAll", "startIPAddress": "0.0.0.0", "endIPAddress": "255.255.255.255"}},
}

// A platform uses a broker through its API, and its databases over TCP.
type platform struct {
	*testing.T
	broker *Broker
	url    string
	out    *syncBuffer
}

const never = time.Hour

func startPlatform(t *testing.T, delay time.Duration) *platform {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	out := &syncBuffer{}
	b, err := New(Options{Username: "platform", Password: "canary-of-the-broker", MySQL: listener, Delay: delay, Out: out})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(b.Handler())
	t.Cleanup(func() {
		server.Close()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return &platform{t, b, server.URL, out}
}

// A reply is an answer of the broker.
type reply struct {
	status int
	header http.Header
	text   string
	body   struct {
		Error, Description, Operation, State string
		ServiceID                            string `json:"service_id"`
		PlanID                               string `json:"plan_id"`
		Parameters                           json.RawMessage
		Credentials                          *login
		Endpoints                            json.RawMessage
		MaintenanceInfo                      *maintenanceInfo `json:"maintenance_info"`
	}
}

func (r reply) String() string { return fmt.Sprintf("%d %s", r.status, r.text) }

type login struct {
	Host                              string
	Port                              int
	Database, Username, Password, URI string
	Tags                              []string
	SSLRequired                       *bool `json:"sslRequired"`
}

func (p *platform) request(method, path string, body any) *http.Request {
	p.Helper()
	var text bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&text).Encode(body); err != nil {
			p.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(p.Context(), method, p.url+path, &text)
	if err != nil {
		p.Fatal(err)
	}
	r.SetBasicAuth("platform", "canary-of-the-broker")
	r.Header.Set("X-Broker-API-Version", "2.17")
	return r
}

func (p *platform) do(r *http.Request) reply {
	p.Helper()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		p.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.Fatal(err)
	}
	a := reply{status: response.StatusCode, header: response.Header, text: string(text)}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &a.body); err != nil {
			p.Fatalf("%s: %v", a, err)
		}
	}
	return a
}

// mustSend sends a request, and fails the test if the status is another.
func (p *platform) mustSend(method, path string, body any, want int) reply {
	p.Helper()
	a := p.do(p.request(method, path, body))
	if a.status != want {
		p.Fatalf("%s %s %v: got %s, want %d", method, path, body, a, want)
	}
	return a
}

func (p *platform) expectRefused(method, path string, body any, status int, code, says string) {
	p.Helper()
	if a := p.mustSend(method, path, body, status); a.body.Error != code || !strings.Contains(a.body.Description, says) {
		p.Errorf("%s %s %v: got %s, want %q and %q", method, path, body, a, code, says)
	}
}

const acceptsIncomplete = "?accepts_incomplete=true"

func instancePath(id string) string { return "/v2/service_instances/" + id }
func bindingPath(instance, id string) string {
	return instancePath(instance) + "/service_bindings/" + id
}

func provisionBody(s *service, p *plan, more object) object {
	body := object{"service_id": s.ID, "plan_id": p.ID, "organization_guid": "o", "space_guid": "s"}
	return mergeObjects(body, more)
}

func bindBody(s *service, p *plan, more object) object {
	return mergeObjects(object{"service_id": s.ID, "plan_id": p.ID}, more)
}

func mergeObjects(body, more object) object {
	maps.Copy(body, more)
	return body
}

func ids(s *service, p *plan) string { return "?service_id=" + s.ID + "&plan_id=" + p.ID }

func (p *platform) provision(id string) {
	p.Helper()
	p.mustSend("PUT", instancePath(id), provisionBody(syncService, basicPlan, nil), 201)
}

func (p *platform) bind(instance, id string, more object) login {
	p.Helper()
	return *p.mustSend("PUT", bindingPath(instance, id), bindBody(syncService, basicPlan, more), 201).body.Credentials
}

func (p *platform) unbind(instance, id string) {
	p.Helper()
	p.mustSend("DELETE", bindingPath(instance, id)+ids(syncService, basicPlan), nil, 200)
}

func (p *platform) deprovision(id string) {
	p.Helper()
	p.mustSend("DELETE", instancePath(id)+ids(syncService, basicPlan), nil, 200)
}

// tryLogIn logs in over TCP.
func (p *platform) tryLogIn(l login) (*sql.Conn, error) {
	p.Helper()
	config := mysql.NewConfig()
	config.Net, config.Addr = "tcp", fmt.Sprintf("%s:%d", l.Host, l.Port)
	config.User, config.Passwd, config.DBName = l.Username, l.Password, l.Database
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		p.Fatal(err)
	}
	db := sql.OpenDB(connector)
	p.Cleanup(func() { p.close(db) })
	return db.Conn(p.Context())
}

// logIn logs in, and fails the test if that is refused.
func (p *platform) logIn(l login) *sql.Conn {
	p.Helper()
	c, err := p.tryLogIn(l)
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { p.close(c) })
	return c
}

// close closes what the broker may have closed together with the user.
func (p *platform) close(c io.Closer) {
	p.Helper()
	if err := c.Close(); err != nil && !errors.Is(err, sql.ErrConnDone) {
		p.Log(err)
	}
}

func (p *platform) exec(c *sql.Conn, statement string, args ...any) {
	p.Helper()
	if _, err := c.ExecContext(p.Context(), statement, args...); err != nil {
		p.Fatalf("%s: %v", statement, err)
	}
}

func (p *platform) expectDenied(what string, err error) {
	p.Helper()
	if e, ok := errors.AsType[*mysql.MySQLError](err); !ok || !strings.Contains(strings.ToLower(e.Message), "denied") {
		p.Errorf("%s: got %v, want that access is denied", what, err)
	}
}

func (p *platform) expectNoLogin(what string, l login) {
	p.Helper()
	c, err := p.tryLogIn(l)
	if err == nil {
		p.close(c)
	}
	if e, ok := errors.AsType[*mysql.MySQLError](err); !ok || e.Number != 1045 {
		p.Errorf("%s: got %v, want error 1045", what, err)
	}
}

// queryStrings returns the first column of all rows.
func (p *platform) queryStrings(c *sql.Conn, query string) string {
	p.Helper()
	rows, err := c.QueryContext(p.Context(), query)
	if err != nil {
		p.Fatalf("%s: %v", query, err)
	}
	defer p.close(rows)
	var all []string
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			p.Fatal(err)
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		p.Fatal(err)
	}
	return strings.Join(all, " ")
}

func TestLife(t *testing.T) {
	p := startPlatform(t, 0)
	p.mustSend("PUT", instancePath("1"), provisionBody(syncService, basicPlan, object{
		"parameters": sampleParameters, "context": object{"platform": "kubernetes", "namespace": "default", "instance_name": "one\x1b[2J"},
	}), 201)
	if names := p.broker.Databases(); len(names) != 1 {
		t.Fatalf("got %q", names)
	}
	l := p.bind("1", "b", nil)
	if l.Host != "127.0.0.1" || l.Database != p.broker.Databases()[0] || len(l.Password) < 20 || l.SSLRequired == nil || l.Tags[0] != "mysql" ||
		l.URI != fmt.Sprintf("mysql://%s:%s@127.0.0.1:%d/%s", l.Username, l.Password, l.Port, l.Database) {
		t.Errorf("got %+v", l)
	}

	c := p.logIn(l)
	p.exec(c, "CREATE TABLE guests (id INT PRIMARY KEY, name VARCHAR(64))")
	p.exec(c, "INSERT INTO guests VALUES (?, ?)", 1, "KubeCon 👋")
	if got := p.queryStrings(p.logIn(l), "SELECT name FROM guests WHERE id = 1"); got != "KubeCon 👋" {
		t.Errorf("another session reads %q", got)
	}

	p.unbind("1", "b")
	if _, err := c.ExecContext(t.Context(), "SELECT 1"); err == nil {
		t.Error("a session outlives its user")
	}
	p.expectNoLogin("after unbind", l)
	if users := p.broker.Users(); len(users) != 0 {
		t.Errorf("there is %q", users)
	}
	again := p.bind("1", "b2", nil)
	if again.Username == l.Username || again.Password == l.Password {
		t.Error("credentials are used twice")
	}
	if got := p.queryStrings(p.logIn(again), "SELECT name FROM guests"); got != "KubeCon 👋" {
		t.Errorf("after unbind and bind there is %q", got)
	}
	p.unbind("1", "b2")
	p.deprovision("1")
	if names := p.broker.Databases(); len(names) != 0 {
		t.Errorf("there is %q", names)
	}

	lines := strings.Split(strings.TrimSpace(p.out.String()), "\n")
	if len(lines) != 6 || !strings.HasSuffix(lines[0], "provisioned    database "+l.Database+", azure-mysql basic50, for default/one[2J") {
		t.Errorf("printed %q", lines)
	}
	if strings.Contains(p.out.String(), l.Password) {
		t.Error("a password is shown")
	}
}

func TestVerbose(t *testing.T) {
	p := startPlatform(t, 0)
	p.broker.options.Verbose = true
	p.provision("1")
	p.mustSend("PUT", instancePath("1"), provisionBody(syncService, basicPlan, nil), 200)
	for _, line := range []string{"asked          provision, answered 201\n", "asked          provision, answered 200\n"} {
		if n := strings.Count(p.out.String(), line); n != 1 {
			t.Errorf("%q was printed %d times: %q", line, n, p.out)
		}
	}
}

func TestWhatUsersMay(t *testing.T) {
	p := startPlatform(t, 0)
	p.provision("mine")
	p.provision("theirs")
	mine, theirs, other := p.bind("mine", "b", nil), p.bind("theirs", "b", nil), p.bind("mine", "b2", nil)
	p.exec(p.logIn(theirs), "CREATE TABLE secrets (word VARCHAR(64))")
	p.exec(p.logIn(theirs), "INSERT INTO secrets VALUES ('canary')")
	p.exec(p.logIn(mine), "CREATE TABLE things (id INT PRIMARY KEY)")

	change := func(f func(*login)) login { l := mine; f(&l); return l }
	p.expectNoLogin("wrong password", change(func(l *login) { l.Password += "x" }))
	p.expectNoLogin("no password", change(func(l *login) { l.Password = "" }))
	p.expectNoLogin("another's password", change(func(l *login) { l.Password = other.Password }))
	p.expectNoLogin("unknown user", change(func(l *login) { l.Username = "root" }))
	for _, password := range []string{"", "x"} {
		p.expectNoLogin("administrator", change(func(l *login) { l.Username, l.Password = administrator, password }))
	}
	_, err := p.tryLogIn(change(func(l *login) { l.Database = theirs.Database }))
	p.expectDenied("another's database", err)

	c := p.logIn(mine)
	for _, statement := range []string{
		"USE " + theirs.Database,
		"SELECT * FROM " + theirs.Database + ".secrets",
		"INSERT INTO " + theirs.Database + ".secrets VALUES ('x')",
		"DROP TABLE " + theirs.Database + ".secrets",
		"CREATE TABLE " + theirs.Database + ".x (id INT)",
		"CREATE DATABASE more",
		"CREATE USER x@'%' IDENTIFIED BY 'x'",
		"DROP USER " + theirs.Username + "@'%'",
		"GRANT ALL ON *.* TO " + mine.Username + "@'%'",
		"GRANT ALL ON " + theirs.Database + ".* TO " + mine.Username + "@'%'",
		"SELECT * FROM mysql.user",
		"UPDATE mysql.user SET authentication_string = ''",
	} {
		_, err := c.ExecContext(t.Context(), statement)
		p.expectDenied(statement, err)
	}
	for _, query := range []string{"SHOW DATABASES", "SELECT TABLE_SCHEMA FROM information_schema.TABLES", "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA"} {
		if got := p.queryStrings(c, query); strings.Contains(got, theirs.Database) || !strings.Contains(got, mine.Database) {
			t.Errorf("%s: got %s", query, got)
		}
	}
	if _, err := c.ExecContext(t.Context(), "DROP DATABASE "+theirs.Database); err == nil {
		t.Error("another's database can be dropped")
	}
	if got := p.queryStrings(p.logIn(theirs), "SELECT word FROM secrets"); got != "canary" {
		t.Errorf("the other has %q", got)
	}
	// Users may do everything in their own database.
	p.exec(p.logIn(other), "CREATE TABLE more (id INT)")
	p.exec(p.logIn(other), "DROP DATABASE "+mine.Database)
	p.unbind("mine", "b")
	p.unbind("mine", "b2")
	p.deprovision("mine")
}

func TestUsersHaveNoFiles(t *testing.T) {
	p := startPlatform(t, 0)
	p.provision("1")
	c := p.logIn(p.bind("1", "b", nil))
	dir := t.TempDir()
	path := filepath.Join(dir, "canary")
	if err := os.WriteFile(path, []byte("canary\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.exec(c, "CREATE TABLE t (line VARCHAR(64))")
	var got sql.NullString
	err := c.QueryRowContext(t.Context(), "SELECT LOAD_FILE('"+path+"')").Scan(&got)
	if err == nil && got.Valid {
		t.Errorf("LOAD_FILE reads %q", got.String)
	}
	for _, statement := range []string{
		"LOAD DATA INFILE '" + path + "' INTO TABLE t",
		"SELECT 'x' INTO OUTFILE '" + filepath.Join(dir, "x") + "'",
		"SELECT 'x' INTO DUMPFILE '" + filepath.Join(dir, "y") + "'",
		"SET GLOBAL secure_file_priv = ''",
		"SET SESSION secure_file_priv = ''",
	} {
		if _, err := c.ExecContext(t.Context(), statement); err == nil {
			t.Errorf("%s: is allowed", statement)
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("files: %v %v", files, err)
	}
}

func TestReadOnly(t *testing.T) {
	p := startPlatform(t, 0)
	p.provision("1")
	p.exec(p.logIn(p.bind("1", "writer", nil)), "CREATE TABLE t (id INT PRIMARY KEY)")
	c := p.logIn(p.bind("1", "reader", object{"parameters": object{"readOnly": true}}))
	p.queryStrings(c, "SELECT id FROM t")
	_, err := c.ExecContext(t.Context(), "INSERT INTO t VALUES (1)")
	p.expectDenied("INSERT", err)
}

func TestFirewall(t *testing.T) {
	p := startPlatform(t, 0)
	p.provision("1")
	l := p.bind("1", "b", nil)
	p.logIn(l)
	rules := func(from, to string) object {
		rule := object{"name": "x", "startIPAddress": from, "endIPAddress": to}
		return object{"service_id": syncService.ID, "parameters": object{"firewallRules": []object{rule}}}
	}
	p.mustSend("PATCH", instancePath("1"), rules("10.0.0.0", "10.255.255.255"), 200)
	p.expectNoLogin("from elsewhere", l)
	p.mustSend("PATCH", instancePath("1"), rules("127.0.0.1", "127.0.0.1"), 200)
	p.logIn(l)
}

func TestConnectionsOfThePlan(t *testing.T) {
	p := startPlatform(t, 0)
	p.provision("1")
	p.provision("2")
	one, two := p.bind("1", "a", nil), p.bind("1", "b", nil)
	for range basicPlan.connections {
		p.logIn(two)
	}
	if c, err := p.tryLogIn(one); err == nil {
		p.close(c)
		t.Fatal("there are more connections than the plan has")
	} else if e, ok := errors.AsType[*mysql.MySQLError](err); !ok || e.Number != 1040 {
		t.Errorf("got %v", err)
	}
	p.logIn(p.bind("2", "a", nil)) // the connections of another instance do not count
	p.mustSend("PATCH", instancePath("1"), object{"service_id": syncService.ID, "plan_id": standardPlan.ID}, 200)
	p.logIn(one)
	p.logIn(one)
}

func TestRepeats(t *testing.T) {
	p := startPlatform(t, 0)
	body := provisionBody(syncService, basicPlan, object{"parameters": sampleParameters})
	p.mustSend("PUT", instancePath("1"), body, 201)
	p.mustSend("PUT", instancePath("1"), body, 200)
	for _, other := range []object{
		provisionBody(syncService, basicPlan, nil),
		provisionBody(syncService, standardPlan, object{"parameters": sampleParameters}),
		provisionBody(asyncService, burstablePlan, object{"parameters": sampleParameters}),
		provisionBody(syncService, basicPlan, object{"parameters": sampleParameters, "space_guid": "another"}),
	} {
		p.mustSend("PUT", instancePath("1")+acceptsIncomplete, other, 409)
	}
	l := p.bind("1", "b", object{"bind_resource": object{"app_guid": "a"}})
	isSameObject := p.mustSend("PUT", bindingPath("1", "b"), bindBody(syncService, basicPlan, object{"bind_resource": object{"app_guid": "a"}}), 200)
	if got := *isSameObject.body.Credentials; got.Password != l.Password || got.Username != l.Username {
		t.Errorf("the repeat got %+v", got)
	}
	for _, more := range []object{nil, {"bind_resource": object{"app_guid": "b"}}, {"parameters": object{"readOnly": true}, "bind_resource": object{"app_guid": "a"}}} {
		p.mustSend("PUT", bindingPath("1", "b"), bindBody(syncService, basicPlan, more), 409)
	}
	if len(p.broker.Databases()) != 1 || len(p.broker.Users()) != 1 {
		t.Errorf("there are %q and %q", p.broker.Databases(), p.broker.Users())
	}
	p.unbind("1", "b")
	p.mustSend("DELETE", bindingPath("1", "b")+ids(syncService, basicPlan), nil, 410)
	p.deprovision("1")
	p.mustSend("DELETE", instancePath("1")+ids(syncService, basicPlan), nil, 410)
	p.mustSend("DELETE", instancePath("never")+ids(syncService, basicPlan), nil, 410)
	p.mustSend("DELETE", bindingPath("1", "b")+ids(syncService, basicPlan), nil, 410)
	want := map[string]int{"provision": 6, "bind": 5, "unbind": 3, "deprovision": 3}
	if got := p.broker.Requests(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}

func TestUpdate(t *testing.T) {
	p := startPlatform(t, 0)
	p.mustSend("PUT", instancePath("1"), provisionBody(syncService, basicPlan, object{"parameters": sampleParameters}), 201)
	update := func(more object) object { return mergeObjects(object{"service_id": syncService.ID}, more) }
	p.mustSend("PATCH", instancePath("1"), update(nil), 200)
	toStandard := update(object{
		"plan_id": standardPlan.ID, "parameters": object{"location": "westeurope"},
		"maintenance_info": object{"version": mysqlVersion}, "previous_values": object{"plan_id": basicPlan.ID},
	})
	p.mustSend("PATCH", instancePath("1"), toStandard, 200)
	p.mustSend("PATCH", instancePath("1"), toStandard, 200)
	a := p.mustSend("GET", instancePath("1")+ids(syncService, standardPlan), nil, 200)
	if a.body.PlanID != standardPlan.ID || a.body.MaintenanceInfo == nil || a.body.MaintenanceInfo.Version != mysqlVersion ||
		!strings.Contains(string(a.body.Parameters), `"location":"westeurope","resourceGroup":"demo"`) {
		t.Errorf("got %s", a)
	}
	p.expectRefused("PATCH", instancePath("1"), update(object{"maintenance_info": object{"version": "5.7.0"}}), 422, "MaintenanceInfoConflict", "standard100")
	p.expectRefused("PATCH", instancePath("1"), update(object{"plan_id": burstablePlan.ID}), 400, "", burstablePlan.ID)
	p.expectRefused("PATCH", instancePath("1"), object{"service_id": asyncService.ID}, 400, "", "service_id")
	p.expectRefused("PATCH", instancePath("1"), update(object{"parameters": object{"location": 7}}), 400, "", "location is of the wrong type: a number")
	p.expectRefused("PATCH", instancePath("2"), update(nil), 404, "", "")
	p.expectRefused("DELETE", instancePath("1")+ids(syncService, basicPlan), nil, 400, "", "plan_id")
}

func TestRotation(t *testing.T) {
	p := startPlatform(t, 0)
	p.provision("1")
	old := p.bind("1", "old", object{"parameters": object{"readOnly": true}})
	next := *p.mustSend("PUT", bindingPath("1", "new"), bindBody(syncService, basicPlan, object{"predecessor_binding_id": "old"}), 201).body.Credentials
	p.logIn(old)
	c := p.logIn(next)
	_, err := c.ExecContext(t.Context(), "CREATE TABLE t (id INT)")
	p.expectDenied("what the predecessor could not", err)
	p.unbind("1", "old")
	p.expectNoLogin("predecessor", old)
	p.logIn(next)
	p.expectRefused("PUT", bindingPath("1", "newer"), bindBody(syncService, basicPlan, object{"predecessor_binding_id": "old"}), 400, "", "predecessor_binding_id")
}

func TestFetch(t *testing.T) {
	p := startPlatform(t, 0)
	p.provision("1")
	l := p.bind("1", "b", object{"parameters": object{"readOnly": true}})
	a := p.mustSend("GET", bindingPath("1", "b"), nil, 200)
	if a.body.Credentials == nil || a.body.Credentials.Password != l.Password || string(a.body.Parameters) != `{"readOnly":true}` ||
		string(a.body.Endpoints) != fmt.Sprintf(`[{"host":"127.0.0.1","ports":["%d"],"protocol":"tcp"}]`, l.Port) {
		t.Errorf("got %s", a)
	}
	if a := p.mustSend("GET", instancePath("1"), nil, 200); a.body.ServiceID != syncService.ID || a.body.PlanID != basicPlan.ID {
		t.Errorf("got %s", a)
	}
	p.mustSend("GET", instancePath("2"), nil, 404)
	p.mustSend("GET", bindingPath("1", "c"), nil, 404)
	if a := p.mustSend("GET", instancePath("1")+"/last_operation", nil, 200); a.body.State != "succeeded" {
		t.Errorf("got %s", a)
	}
}

// waitForOperation polls an operation, and returns the last answer.
func (p *platform) waitForOperation(path string, o reply, status int) reply {
	p.Helper()
	r := p.request("GET", path+"/last_operation", nil)
	query := r.URL.Query()
	query.Set("service_id", asyncService.ID)
	query.Set("plan_id", burstablePlan.ID)
	query.Set("operation", o.body.Operation)
	r.URL.RawQuery = query.Encode()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		a := p.do(r)
		if a.status == 200 && a.body.State == "in progress" && a.header.Get("Retry-After") == "1" && time.Now().Before(deadline) {
			continue
		}
		if a.status != status {
			p.Fatalf("got %s, want %d", a, status)
		}
		return a
	}
}

func TestAsynchronousLife(t *testing.T) {
	p := startPlatform(t, 5*time.Millisecond)
	body := provisionBody(asyncService, burstablePlan, nil)
	p.expectRefused("PUT", instancePath("1"), body, 422, "AsyncRequired", "accepts_incomplete=true")
	made := p.mustSend("PUT", instancePath("1")+acceptsIncomplete, body, 202)
	if a := p.waitForOperation(instancePath("1"), made, 200); a.body.State != "succeeded" {
		t.Fatalf("got %s", a)
	}
	p.mustSend("PUT", instancePath("1")+acceptsIncomplete, body, 200)

	p.expectRefused("PUT", bindingPath("1", "b"), bindBody(asyncService, burstablePlan, nil), 422, "AsyncRequired", "")
	bound := p.mustSend("PUT", bindingPath("1", "b")+acceptsIncomplete, bindBody(asyncService, burstablePlan, nil), 202)
	if bound.body.Credentials != nil {
		t.Error("credentials come before the user")
	}
	p.waitForOperation(bindingPath("1", "b"), bound, 200)
	l := *p.mustSend("GET", bindingPath("1", "b"), nil, 200).body.Credentials
	p.logIn(l)

	rules := object{"firewallRules": []object{{"name": "x", "startIPAddress": "10.0.0.0", "endIPAddress": "10.0.0.1"}}}
	changed := p.mustSend("PATCH", instancePath("1")+acceptsIncomplete, object{"service_id": asyncService.ID, "parameters": rules}, 202)
	p.waitForOperation(instancePath("1"), changed, 200)
	p.expectNoLogin("after the update", l)

	p.mustSend("DELETE", bindingPath("1", "b")+ids(asyncService, burstablePlan), nil, 422)
	unbound := p.mustSend("DELETE", bindingPath("1", "b")+ids(asyncService, burstablePlan)+"&accepts_incomplete=true", nil, 202)
	p.waitForOperation(bindingPath("1", "b"), unbound, 410)
	if users := p.broker.Users(); len(users) != 0 {
		t.Errorf("there is %q", users)
	}
	removed := p.mustSend("DELETE", instancePath("1")+ids(asyncService, burstablePlan)+"&accepts_incomplete=true", nil, 202)
	p.waitForOperation(instancePath("1"), removed, 410)
	if names := p.broker.Databases(); len(names) != 0 {
		t.Errorf("there is %q", names)
	}
	p.mustSend("GET", instancePath("never")+"/last_operation", nil, 404)
}

func TestWhileAnInstanceIsBeingMade(t *testing.T) {
	p := startPlatform(t, never)
	body := provisionBody(asyncService, burstablePlan, nil)
	first := p.mustSend("PUT", instancePath("1")+acceptsIncomplete, body, 202)
	if again := p.mustSend("PUT", instancePath("1")+acceptsIncomplete, body, 202); again.body.Operation != first.body.Operation || first.body.Operation == "" {
		t.Errorf("the repeat is called %q, and the first %q", again.body.Operation, first.body.Operation)
	}
	p.mustSend("PUT", instancePath("1")+acceptsIncomplete, provisionBody(asyncService, burstablePlan, object{"parameters": sampleParameters}), 409)
	p.mustSend("GET", instancePath("1"), nil, 404)
	p.expectRefused("PATCH", instancePath("1")+acceptsIncomplete, object{"service_id": asyncService.ID}, 422, "ConcurrencyError", "provision")
	p.expectRefused("DELETE", instancePath("1")+ids(asyncService, burstablePlan)+"&accepts_incomplete=true", nil, 422, "ConcurrencyError", "provision")
	p.expectRefused("PUT", bindingPath("1", "b")+acceptsIncomplete, bindBody(asyncService, burstablePlan, nil), 422, "ConcurrencyError", "provision")
	p.expectRefused("GET", instancePath("1")+"/last_operation?operation=another", nil, 400, "", "operation")
	p.expectRefused("GET", instancePath("1")+"/last_operation", nil, 400, "", "operation")
	p.expectRefused("GET", instancePath("1")+"/last_operation?plan_id="+basicPlan.ID, nil, 400, "", "service_id")
}

func TestWhileSomethingElseGoesOn(t *testing.T) {
	p := startPlatform(t, 5*time.Millisecond)
	p.waitForOperation(instancePath("1"), p.mustSend("PUT", instancePath("1")+acceptsIncomplete, provisionBody(asyncService, burstablePlan, nil), 202), 200)
	p.waitForOperation(bindingPath("1", "b"), p.mustSend("PUT", bindingPath("1", "b")+acceptsIncomplete, bindBody(asyncService, burstablePlan, nil), 202), 200)

	p.broker.mu.Lock()
	p.broker.options.Delay = never
	p.broker.mu.Unlock()
	unbind := bindingPath("1", "b") + ids(asyncService, burstablePlan) + "&accepts_incomplete=true"
	first := p.mustSend("DELETE", unbind, nil, 202)
	if again := p.mustSend("DELETE", unbind, nil, 202); again.body.Operation != first.body.Operation {
		t.Errorf("got %s and %s", first, again)
	}
	p.expectRefused("DELETE", instancePath("1")+ids(asyncService, burstablePlan)+"&accepts_incomplete=true", nil, 422, "ConcurrencyError", "unbind")
	change := object{"service_id": asyncService.ID, "parameters": sampleParameters}
	p.expectRefused("PATCH", instancePath("1")+acceptsIncomplete, change, 422, "ConcurrencyError", "unbind")
	p.expectRefused("PUT", bindingPath("1", "b")+acceptsIncomplete, bindBody(asyncService, burstablePlan, nil), 422, "ConcurrencyError", "unbind")

	p.broker.mu.Lock()
	p.broker.instances["1"].bindings["b"].operation = nil
	p.broker.mu.Unlock()
	pendingUpdate := p.mustSend("PATCH", instancePath("1")+acceptsIncomplete, change, 202)
	if again := p.mustSend("PATCH", instancePath("1")+acceptsIncomplete, change, 202); again.body.Operation != pendingUpdate.body.Operation {
		t.Errorf("got %s and %s", pendingUpdate, again)
	}
	p.expectRefused("PATCH", instancePath("1")+acceptsIncomplete, object{"service_id": asyncService.ID, "parameters": object{"location": "x"}}, 422, "ConcurrencyError", "update")
	p.expectRefused("GET", instancePath("1"), nil, 422, "ConcurrencyError", "update")
	p.expectRefused("DELETE", unbind, nil, 422, "ConcurrencyError", "update")
}

func TestRefused(t *testing.T) {
	p := startPlatform(t, 0)
	p.provision("1")
	p.bind("1", "b", nil)
	parameters := func(given any) object { return provisionBody(syncService, basicPlan, object{"parameters": given}) }
	rule := func(name, from, to any) object {
		return parameters(object{"firewallRules": []object{{"name": name, "startIPAddress": from, "endIPAddress": to}}})
	}
	const put, two = "PUT", "/v2/service_instances/2"
	for says, body := range map[string]any{
		"organization_guid":                        object{"service_id": syncService.ID, "plan_id": basicPlan.ID, "space_guid": "s"},
		`no service with service_id "x"`:           provisionBody(&service{ID: "x"}, basicPlan, nil),
		"azure-mysql has no plan with plan_id":     provisionBody(syncService, burstablePlan, nil),
		"the body is malformed":                    parameters("text"),
		`unknown field "colour"`:                   parameters(object{"colour": "red"}),
		"location is empty":                        parameters(object{"location": ""}),
		"location is of the wrong type: a number":  parameters(object{"location": 7}),
		"firewallRules[0]: name is missing":        rule("", "1.1.1.1", "1.1.1.2"),
		"firewallRules[0]: startIPAddress and":     rule("x", "::1", "::2"),
		`unable to parse IP`:                       rule("x", "all", "1.1.1.1"),
		"endIPAddress 1.1.1.1 is before startIPAd": rule("x", "1.1.1.2", "1.1.1.1"),
		"app_guid is empty":                        provisionBody(syncService, basicPlan, object{"app_guid": ""}),
		`context.platform is ""`:                   provisionBody(syncService, basicPlan, object{"context": object{}}),
	} {
		p.expectRefused(put, two, body, 400, "", says)
	}
	p.expectRefused(put, two, provisionBody(syncService, basicPlan, object{"maintenance_info": object{"version": "1.0.0"}}), 422, "MaintenanceInfoConflict", "")
	p.expectRefused(put, two+"?accepts_incomplete=maybe", provisionBody(syncService, basicPlan, nil), 400, "", "accepts_incomplete")
	p.expectRefused(put, bindingPath("2", "b"), bindBody(syncService, basicPlan, nil), 404, "", "")
	p.expectRefused(put, bindingPath("1", "c"), bindBody(syncService, standardPlan, nil), 400, "", "plan_id")
	p.expectRefused(put, bindingPath("1", "c"), bindBody(syncService, basicPlan, object{"parameters": object{"x": 1}}), 400, "", `unknown field "x"`)
	p.expectRefused("DELETE", instancePath("1"), nil, 400, "", "service_id")
	p.expectRefused("DELETE", bindingPath("1", "b"), nil, 400, "", "service_id")
	p.expectRefused("DELETE", instancePath("1")+ids(syncService, basicPlan), nil, 400, "", "1 bindings")
	if len(p.broker.Databases()) != 1 || len(p.broker.Users()) != 1 {
		t.Errorf("there are %q and %q", p.broker.Databases(), p.broker.Users())
	}
}

func TestWhoMayAsk(t *testing.T) {
	p := startPlatform(t, 0)
	r := p.request("GET", "/v2/catalog", nil)
	r.SetBasicAuth("platform", "wrong")
	if a := p.do(r); a.status != 401 || a.header.Get("WWW-Authenticate") == "" {
		t.Errorf("got %s", a)
	}
	r = p.request("PUT", instancePath("1"), provisionBody(syncService, basicPlan, nil))
	r.Header.Del("Authorization")
	if a := p.do(r); a.status != 401 {
		t.Errorf("got %s", a)
	}
	if len(p.broker.Databases()) != 0 || p.broker.Requests()["refused"] != 2 {
		t.Errorf("there is %q, and %v", p.broker.Databases(), p.broker.Requests())
	}
	for version, want := range map[string]int{"": 412, "1.0": 412, "2.12": 412, "2.13": 200, "2.17": 200, "2.18": 200, "3.0": 412, "2.x": 412} {
		r := p.request("GET", "/v2/catalog", nil)
		r.Header.Set("X-Broker-API-Version", version)
		r.Header.Set("X-Broker-API-Request-Identity", "request 1")
		if a := p.do(r); a.status != want || a.header.Get("X-Broker-API-Request-Identity") != "request 1" {
			t.Errorf("%q: got %s", version, a)
		}
	}
}

func TestIdentity(t *testing.T) {
	p := startPlatform(t, 0)
	encoded := base64.StdEncoding.EncodeToString([]byte(`{"username":"u","uid":"","groups":[],"extra":{}}`))
	for identity, want := range map[string]int{
		"kubernetes " + encoded: 201, "cloudfoundry " + encoded: 400, "kubernetes": 400, "kubernetes !": 400, " " + encoded: 400,
		"kubernetes " + base64.StdEncoding.EncodeToString([]byte("[]")): 400,
	} {
		r := p.request("PUT", instancePath("1"), provisionBody(syncService, basicPlan, object{"context": object{"platform": "kubernetes"}}))
		r.Header.Set("X-Broker-API-Originating-Identity", identity)
		if a := p.do(r); a.status != want {
			t.Errorf("%q: got %s, want %d", identity, a, want)
		}
	}
}

func TestCatalog(t *testing.T) {
	p := startPlatform(t, 0)
	a := p.mustSend("GET", "/v2/catalog", nil, 200)
	for _, want := range []string{
		`"name":"azure-mysql","id":"64c061d6-4b2c-4ddc-b020-1b4d27da0dce"`, `"name":"basic50"`, `"name":"azure-mysql-flexible"`, `"plan_updateable":true`,
		`"maintenance_info":{"version":"8.0.33"`, `"maximum_polling_duration":600`, `"$schema":"http://json-schema.org/draft-04/schema#"`,
	} {
		if !strings.Contains(a.text, want) {
			t.Errorf("the catalog lacks %s: %s", want, a.text)
		}
	}
	r := p.request("GET", "/v2/catalog", nil)
	r.Header.Set("If-None-Match", a.header.Get("ETag"))
	if again := p.do(r); again.status != 304 || again.text != "" {
		t.Errorf("got %s", again)
	}
}

func TestIDsMayBeAnything(t *testing.T) {
	p := startPlatform(t, 0)
	const id, other = "a%2Fb%20%25%C3%BC..", "a"
	p.provision(id)
	p.mustSend("PUT", instancePath(other), provisionBody(syncService, basicPlan, nil), 201)
	p.bind(id, "b%2Fc", nil)
	p.unbind(id, "b%2Fc")
	p.deprovision(id)
	p.mustSend("PUT", instancePath(other), provisionBody(syncService, basicPlan, nil), 200)
}

func TestConcurrentUse(t *testing.T) {
	p := startPlatform(t, time.Millisecond)
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			id := fmt.Sprint(n)
			for range 3 {
				p.provision(id)
				l := p.bind(id, "b", nil)
				c := p.logIn(l)
				p.exec(c, "CREATE TABLE t (id INT PRIMARY KEY)")
				p.exec(c, "INSERT INTO t VALUES (1)")
				p.unbind(id, "b")
				p.expectNoLogin("after unbind", l)
				p.deprovision(id)
			}
		})
		wg.Go(func() {
			id := fmt.Sprint("slow", n)
			p.waitForOperation(instancePath(id), p.mustSend("PUT", instancePath(id)+acceptsIncomplete, provisionBody(asyncService, burstablePlan, nil), 202), 200)
			p.waitForOperation(instancePath(id), p.mustSend("DELETE", instancePath(id)+ids(asyncService, burstablePlan)+"&accepts_incomplete=true", nil, 202), 410)
		})
	}
	wg.Wait()
	if len(p.broker.Databases()) != 0 || len(p.broker.Users()) != 0 {
		t.Errorf("there are %q and %q", p.broker.Databases(), p.broker.Users())
	}
}

func TestServe(t *testing.T) {
	var listeners [2]net.Listener
	for i := range listeners {
		var err error
		if listeners[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	b, err := New(Options{Username: "platform", Password: "canary-of-the-broker", MySQL: listeners[0], Host: "mysql.example.com", Delay: never})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Serve(ctx, listeners[1]) }()
	p := &platform{T: t, broker: b, url: "http://" + listeners[1].Addr().String()}
	p.mustSend("PUT", instancePath("slow")+acceptsIncomplete, provisionBody(asyncService, burstablePlan, nil), 202)
	p.provision("1")
	l := p.bind("1", "b", nil)
	if l.Host != "mysql.example.com" || !strings.Contains(l.URI, "@mysql.example.com:") {
		t.Errorf("got %+v", l)
	}
	l.Host = "127.0.0.1"
	c := p.logIn(l)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := c.ExecContext(t.Context(), "SELECT 1"); err == nil {
		t.Error("a session outlives the server")
	}
	for _, listener := range listeners {
		if c, err := net.Dial("tcp", listener.Addr().String()); err == nil {
			c.Close()
			t.Errorf("somebody still listens on %s", listener.Addr())
		}
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{{}, {Username: "u"}, {Password: "p"}, {Username: "u:v", Password: "p"}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

// A syncBuffer is safe for concurrent use.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
