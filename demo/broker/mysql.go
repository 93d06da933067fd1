/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"

	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/memory"
	"github.com/dolthub/go-mysql-server/server"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/mysql_db"
	"github.com/dolthub/vitess/go/mysql"
	vtlog "github.com/dolthub/vitess/go/vt/log"
	"github.com/sirupsen/logrus"
)

// administrator is whom the broker's own statements are from. Nobody can log in as it.
const administrator = "broker"

// mysqlVersion is the version that the server says it is.
const mysqlVersion = "8.0.33"

// A mysqlServer is a MySQL server in this process, with databases that are in memory.
type mysqlServer struct {
	provider *memory.DbProvider
	engine   *sqle.Engine
	server   *server.Server
	ended    chan struct{} // accepting

	mu        sync.Mutex
	closing   bool
	databases map[string]limits
	users     map[string]string // the name of each user's database
	conns     map[uint32]*connection
}

// limits say who may log in to a database, besides knowing a password.
type limits struct {
	Connections int
	Firewall    []firewallRule // empty: from everywhere
}

type connection struct {
	*mysql.Conn
	user string // empty until it has logged in
}

// startMySQL serves on a listener, which it closes in the end.
func startMySQL(listener net.Listener) (*mysqlServer, error) {
	if err := prepareEngine(); err != nil {
		return nil, err
	}
	provider := memory.NewDBProvider()
	s := &mysqlServer{
		provider: provider, ended: make(chan struct{}),
		databases: map[string]limits{}, users: map[string]string{}, conns: map[uint32]*connection{},
	}
	s.engine = sqle.NewDefault(databases{provider})
	grants := s.engine.Analyzer.Catalog.MySQLDb
	grants.SetPersister(&mysql_db.NoopPersister{})
	editor := grants.Editor()
	grants.AddLockedSuperUser(editor, administrator, "localhost", "")
	editor.Close()

	var err error
	s.server, err = server.NewServerWithHandler(
		server.Config{Listener: listener, Version: mysqlVersion, ProtocolListenerFactory: s.listen, MaxLoggedQueryLen: -1},
		s.engine, sql.NewContext, memory.NewSessionBuilder(provider), nil, s.watch)
	if err != nil {
		return nil, err
	}
	go func() {
		defer close(s.ended)
		s.server.Listener.Accept() // not Start, which has things to say
	}()
	return s, nil
}

// prepareEngine sets what the engine has once for the whole process: where files for SQL are (nowhere, else everybody could
// read those of this process), and loggers, which would have statements and so passwords.
var prepareEngine = sync.OnceValue(func() error {
	logrus.SetOutput(io.Discard)
	silent := func(...any) {}
	silentf := func(string, ...any) {}
	vtlog.Info, vtlog.Warning, vtlog.Error = silent, silent, silent
	vtlog.Infof, vtlog.Warningf, vtlog.Errorf = silentf, silentf, silentf
	return sql.SystemVariables.AssignValues(map[string]any{"secure_file_priv": "/nonexistent"})
})

// close ends the server and its connections.
func (s *mysqlServer) close() error {
	s.server.Listener.Close()
	<-s.ended
	s.mu.Lock()
	s.closing = true
	for _, c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	if err := s.engine.Close(); !errors.Is(err, context.Canceled) { // which is how its threads end
		return err
	}
	return nil
}

// exec runs a statement as the administrator. Names in it are the broker's own, and need no quoting.
func (s *mysqlServer) exec(statement string) error {
	client := sql.Client{User: administrator, Address: "localhost"}
	session := memory.NewSession(sql.NewBaseSessionWithClientServer("", client, 0), s.provider)
	c := sql.NewContext(context.Background(), sql.WithSession(session))
	_, rows, _, err := s.engine.Query(c, statement)
	if err == nil {
		_, err = sql.RowIterToRows(c, rows)
	}
	return err
}

func (s *mysqlServer) createDatabase(name string, l limits) error {
	if err := s.exec("CREATE DATABASE " + name); err != nil {
		return err
	}
	s.limit(name, l)
	return nil
}

// limit changes who may log in to a database from now on. Who has is left alone, as MySQL does.
func (s *mysqlServer) limit(database string, l limits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.databases[database] = l
}

// dropDatabase succeeds also where a user has dropped it.
func (s *mysqlServer) dropDatabase(name string) error {
	if err := s.exec("DROP DATABASE IF EXISTS " + name); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.databases, name)
	return nil
}

// createUser makes a user that may do all in one database, or only read it.
func (s *mysqlServer) createUser(user, password, database string, readOnly bool) error {
	rights := "ALL"
	if readOnly {
		rights = "SELECT"
	}
	if err := s.exec(fmt.Sprintf("CREATE USER %s@'%%' IDENTIFIED BY '%s'", user, password)); err != nil {
		return errors.New("CREATE USER failed") // the error may have the statement
	}
	if err := s.exec(fmt.Sprintf("GRANT %s ON %s.* TO %s@'%%'", rights, database, user)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[user] = database
	return nil
}

// dropUser ends the user's connections too: MySQL would let them go on.
func (s *mysqlServer) dropUser(user string) error {
	if err := s.exec("DROP USER IF EXISTS " + user + "@'%'"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.users, user)
	for _, c := range s.conns {
		if c.user == user {
			c.Close()
		}
	}
	return nil
}

// databaseNames are those that the server has, without its own.
func (s *mysqlServer) databaseNames() []string {
	var names []string
	for _, database := range s.provider.AllDatabases(nil) {
		names = append(names, database.Name())
	}
	return names
}

// userNames are those that can log in.
func (s *mysqlServer) userNames() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.users))
}

// databases are those of the engine, which lets everybody who may do so in one database make others.
type databases struct{ *memory.DbProvider }

// CreateDatabase is for the broker only.
func (d databases) CreateDatabase(c *sql.Context, name string) error {
	if user := c.Client().User; user != administrator {
		return sql.ErrDatabaseAccessDeniedForUser.New(user, name)
	}
	return d.DbProvider.CreateDatabase(c, name)
}

// listen puts the door into the way of everybody who logs in.
func (s *mysqlServer) listen(c server.Config, l mysql.ListenerConfig, events server.ServerEventListener) (server.ProtocolListener, error) {
	l.AuthServer = doorkeeper{l.AuthServer, s}
	return server.MySQLProtocolListenerFactory(c, l, events)
}

// A doorkeeper lets in who knows a password, as the engine finds, and is within the limits of the database.
type doorkeeper struct {
	mysql.AuthServer
	server *mysqlServer
}

// AuthMethods are the engine's, each with a door behind it.
func (d doorkeeper) AuthMethods() []mysql.AuthMethod {
	var methods []mysql.AuthMethod
	for _, method := range d.AuthServer.AuthMethods() {
		methods = append(methods, door{method, d.server})
	}
	return methods
}

type door struct {
	mysql.AuthMethod
	server *mysqlServer
}

// HandleUser also takes users that there are not: they are to hear the same as those with a wrong password.
func (d door) HandleUser(c *mysql.Conn, user string) bool {
	return d.AuthMethod.HandleUser(c, user) || d.Name() == mysql_db.DefaultAuthMethod
}

// HandleAuthPluginData checks the password, and then the limits.
func (d door) HandleAuthPluginData(c *mysql.Conn, user string, sent, answered []byte, from net.Addr) (mysql.Getter, error) {
	who, err := d.AuthMethod.HandleAuthPluginData(c, user, sent, answered, from)
	if err != nil {
		return nil, err
	}
	return who, d.server.admit(c.ConnectionID, user, from)
}

func (s *mysqlServer) admit(id uint32, user string, from net.Addr) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	database, ok := s.users[user]
	if !ok { // just dropped
		return mysql.NewSQLError(mysql.ERAccessDeniedError, mysql.SSAccessDeniedError, "Access denied for user '%s'", user)
	}
	l := s.databases[database]
	if !l.letsIn(from) {
		return mysql.NewSQLError(mysql.ERAccessDeniedError, mysql.SSAccessDeniedError, "Access denied for user '%s': no firewall rule of %s lets %s in", user, database, from)
	}
	used := 0
	for _, c := range s.conns {
		if c.user != "" && s.users[c.user] == database {
			used++
		}
	}
	if used >= l.Connections {
		return mysql.NewSQLError(mysql.ERConCount, mysql.SSUnknownSQLState, "Too many connections: the plan of %s has %d", database, l.Connections)
	}
	if c, ok := s.conns[id]; ok {
		c.user = user
	}
	return nil
}

func (l limits) letsIn(from net.Addr) bool {
	address, err := netip.ParseAddrPort(from.String())
	return len(l.Firewall) == 0 || err == nil && slices.ContainsFunc(l.Firewall, func(r firewallRule) bool {
		return r.contains(address.Addr().Unmap())
	})
}

// watch keeps account of connections.
func (s *mysqlServer) watch(h mysql.Handler) (mysql.Handler, error) {
	handler, ok := h.(*server.Handler)
	if !ok {
		return nil, fmt.Errorf("the engine's handler is a %T", h)
	}
	return watcher{handler, s}, nil
}

type watcher struct {
	*server.Handler
	server *mysqlServer
}

// NewConnection is called before anybody has logged in.
func (w watcher) NewConnection(c *mysql.Conn) {
	w.Handler.NewConnection(c)
	w.server.mu.Lock()
	defer w.server.mu.Unlock()
	w.server.conns[c.ConnectionID] = &connection{Conn: c}
	if w.server.closing {
		c.Close()
	}
}

// ConnectionClosed is called for each of them in the end.
func (w watcher) ConnectionClosed(c *mysql.Conn) {
	w.server.mu.Lock()
	delete(w.server.conns, c.ConnectionID)
	w.server.mu.Unlock()
	w.Handler.ConnectionClosed(c)
}
