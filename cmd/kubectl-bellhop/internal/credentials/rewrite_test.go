// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"slices"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

func data(pairs ...string) map[string][]byte {
	m := map[string][]byte{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = []byte(pairs[i+1])
	}
	return m
}

func TestEndpoints(t *testing.T) {
	for name, c := range map[string]struct {
		data map[string][]byte
		want string
	}{
		"host and port":             {data("host", "db", "port", "3306"), "db:3306"},
		"hostname":                  {data("hostname", "db.prod.svc", "port", "3306"), "db.prod.svc:3306"},
		"a transform's names":       {data("DB_HOST", "db", "DB_PORT", "3306"), "db:3306"},
		"camel case":                {data("dbHost", "db", "dbPort", "3306"), "db:3306"},
		"host alone":                {data("host", "db"), "db"},
		"host with port":            {data("host", "db:3306"), "db:3306"},
		"port of the uri":           {data("host", "db", "uri", "mysql://u:p@db.ns.svc:3307/app"), "db:3307"},
		"uri":                       {data("uri", "mysql://u:p@db:3307/app"), "db:3307"},
		"default port":              {data("uri", "postgres://u:p@db/app"), "db:5432"},
		"jdbc":                      {data("jdbcUrl", "jdbc:mysql://db:3306/app?user=u&password=p%2F"), "db:3306"},
		"oracle":                    {data("jdbcUrl", "jdbc:oracle:thin:@//db:1521/app"), "db:1521"},
		"sql server":                {data("url", "jdbc:sqlserver://db:1433;databaseName=app;user=u"), "db:1433"},
		"password with @ and slash": {data("host", "db", "port", "1", "uri", "mysql://u:p@/s@db:1/app"), "db:1"},
		"the uri, and a web page":   {data("uri", "amqp://u:p@mq:5672/v", "http_api_uri", "http://u:p@mq:15672/api"), "mq:5672"},
		"same host twice":           {data("host", "db", "port", "1", "db_host", "db.ns", "db_port", "1"), "db:1"},
		"v6":                        {data("uri", "redis://[fd00::1]:6379"), "[fd00::1]:6379"},
	} {
		got, err := endpointOf(c.data, "ns")
		if err != nil || got.String() != c.want {
			t.Errorf("%s: %s, %v, want %s", name, got, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		data map[string][]byte
		want string
	}{
		"nothing":        {data("token", "x"), `their key is "token"`},
		"several in uri": {data("uri", "mongodb://u:p@m-0.m:27017,m-1.m:27017/app"), "--endpoint=m-0.m:27017"},
		"several hosts":  {data("hosts", "x", "read_host", "a", "write_host", "b"), "2 hosts"},
	} {
		if got, err := endpointOf(c.data, "ns"); err == nil || !strings.Contains(cli.Explain(err), c.want) {
			t.Errorf("%s: %s, %v, want an error with %s", name, got, err, c.want)
		}
	}
}

func TestRewriting(t *testing.T) {
	r := &rewriting{from: hostPort{"db", 3306}, local: 40001, namespace: "ns"}
	for _, c := range []struct{ key, value, want string }{
		{"host", "db", "127.0.0.1"},
		{"hostname", "db.ns.svc.cluster.local", "127.0.0.1"},
		{"DB_HOST", "DB", "127.0.0.1"},
		{"port", "3306", "40001"},
		{"dbPort", "3306", "40001"},
		{"web_port", "8080", "8080"},
		{"username", "db", "db"},
		{"database", "db", "db"},
		{"password", "3306", "3306"},
		{"uri", "mysql://u:p%2F@db:3306/db?host=x", "mysql://u:p%2F@127.0.0.1:40001/db?host=x"},
		{"uri", "mysql://db/db", "mysql://127.0.0.1:40001/db"},
		{"uri", "mysql://u:p@db.ns:3306/app", "mysql://u:p@127.0.0.1:40001/app"},
		{"uri", "mysql://u:p@db.other:3306/app", "mysql://u:p@db.other:3306/app"},
		{"uri", "mysql://u:p@db:3307/app", "mysql://u:p@db:3307/app"},
		{"uri", "mysql://u:a/b@c@db:3306/app", "mysql://u:a/b@c@127.0.0.1:40001/app"},
		{"uri", "mysql://u:a;b@db:3306/app", "mysql://u:a;b@127.0.0.1:40001/app"},
		{"jdbcUrl", "jdbc:mysql://db:3306/app?password=x", "jdbc:mysql://127.0.0.1:40001/app?password=x"},
		{"jdbcUrl", "jdbc:sqlserver://db:3306;databaseName=db", "jdbc:sqlserver://127.0.0.1:40001;databaseName=db"},
		{"jdbcUrl", "jdbc:oracle:thin:@//db:3306/x", "jdbc:oracle:thin:@//127.0.0.1:40001/x"},
		{"uri", "mongodb://u:p@other:3306,db:3306/x", "mongodb://u:p@127.0.0.1:40001/x"},
		{"dsn", "u:p@tcp(db:3306)/app", "u:p@tcp(127.0.0.1:40001)/app"},
		{"servers", "db:3306", "127.0.0.1:40001"},
		{"servers", "mydb:3306,db:33060", "mydb:3306,db:33060"},
		{"dashboard", "http://db:8080/x", "http://db:8080/x"},
		{"note", "", ""},
	} {
		if got := r.value(c.key, c.value); got != c.want {
			t.Errorf("%s=%s: %s, want %s", c.key, c.value, got, c.want)
		}
	}
}

func TestValuesThatStillNameTheHost(t *testing.T) {
	r := &rewriting{from: hostPort{"db.ns.svc", 3306}, local: 40001, namespace: "ns"}
	got, unchanged := r.apply(data("host", "db.ns.svc", "uri", "mysql://db.ns.svc:3306/x", "endpoints", `[{"host":"db.ns.svc"}]`, "database", "db"))
	if want := []string{"endpoints"}; !slices.Equal(unchanged, want) || string(got["host"]) != "127.0.0.1" {
		t.Errorf("%q, %q, want %q", got, unchanged, want)
	}
	r.from.host = "db"
	if _, unchanged = r.apply(data("host", "db", "database", "db", "dsn", "host=db user=u", "json", `{"host":"db"}`, "user", "db-user")); !slices.Equal(unchanged, []string{"dsn", "json"}) {
		t.Errorf("%q", unchanged)
	}
}
