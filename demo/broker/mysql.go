// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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

// administrator is the user of the broker's own statements. Nobody can log in with this name.
const administrator = "broker"

// mysqlVersion is the version that the server reports.
const mysqlVersion = "8.0.33"

// A mysqlServer is a MySQL server in this process that keeps its databases in memory.
type mysqlServer struct {
	provider *memory.DbProvider
	engine   *sqle.Engine
	server   *server.Server
	ended    chan struct{} // closed when the server accepts no more connections

	mu        sync.Mutex
	closing   bool
	databases map[string]limits
	users     map[string]string // the name of each user's database
	conns     map[uint32]*connection
}

// limits restrict logins to a database, in addition to the password.
type limits struct {
	Connections int
	Firewall    []firewallRule // empty: all addresses
}

type connection struct {
	*mysql.Conn
	user string // empty before the login
}

// startMySQL serves on a listener, which close closes.
func startMySQL(listener net.Listener) (*mysqlServer, error) {
	if err := configureEngine(); err != nil {
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
		server.Config{Listener: listener, Version: mysqlVersion, ProtocolListenerFactory: s.listenWithLimits, MaxLoggedQueryLen: -1},
		s.engine, sql.NewContext, memory.NewSessionBuilder(provider), nil, s.trackConnections)
	if err != nil {
		return nil, err
	}
	go func() {
		defer close(s.ended)
		s.server.Listener.Accept() // Start would print to standard output
	}()
	return s, nil
}

// configureEngine sets what the engine shares in the whole process: the folder for LOAD_FILE, which must not exist, as users could
// read all files of this process otherwise, and loggers, which would log statements with passwords.
var configureEngine = sync.OnceValue(func() error {
	logrus.SetOutput(io.Discard)
	silent := func(...any) {}
	silentf := func(string, ...any) {}
	vtlog.Info, vtlog.Warning, vtlog.Error = silent, silent, silent
	vtlog.Infof, vtlog.Warningf, vtlog.Errorf = silentf, silentf, silentf
	return sql.SystemVariables.AssignValues(map[string]any{"secure_file_priv": "/nonexistent"})
})

// close closes the server and its connections.
func (s *mysqlServer) close() error {
	s.server.Listener.Close()
	<-s.ended
	s.mu.Lock()
	s.closing = true
	for _, c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	if err := s.engine.Close(); !errors.Is(err, context.Canceled) { // its goroutines end with this error
		return err
	}
	return nil
}

// exec runs a statement as administrator. The broker chooses all names in it, so that they need no quotes.
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
	s.setLimits(name, l)
	return nil
}

// setLimits sets the limits for new logins. As in MySQL, existing connections stay.
func (s *mysqlServer) setLimits(database string, l limits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.databases[database] = l
}

// dropDatabase also succeeds if a user has dropped the database.
func (s *mysqlServer) dropDatabase(name string) error {
	if err := s.exec("DROP DATABASE IF EXISTS " + name); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.databases, name)
	return nil
}

// createUser creates a user with all rights in one database, or with read access only.
func (s *mysqlServer) createUser(user, password, database string, readOnly bool) error {
	rights := "ALL"
	if readOnly {
		rights = "SELECT"
	}
	if err := s.exec(fmt.Sprintf("CREATE USER %s@'%%' IDENTIFIED BY '%s'", user, password)); err != nil {
		return errors.New("CREATE USER failed") // the error may contain the password
	}
	if err := s.exec(fmt.Sprintf("GRANT %s ON %s.* TO %s@'%%'", rights, database, user)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[user] = database
	return nil
}

// dropUser also closes the user's connections, which MySQL would keep.
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

// databaseNames returns the databases of instances.
func (s *mysqlServer) databaseNames() []string {
	var names []string
	for _, database := range s.provider.AllDatabases(nil) {
		names = append(names, database.Name())
	}
	return names
}

// userNames returns the users of bindings.
func (s *mysqlServer) userNames() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.users))
}

// databases are those of the engine. The engine alone would allow every user with rights in one database to create others.
type databases struct{ *memory.DbProvider }

// CreateDatabase allows only the broker to create databases.
func (d databases) CreateDatabase(c *sql.Context, name string) error {
	if user := c.Client().User; user != administrator {
		return sql.ErrDatabaseAccessDeniedForUser.New(user, name)
	}
	return d.DbProvider.CreateDatabase(c, name)
}

// listenWithLimits adds the limits to the authentication of every login.
func (s *mysqlServer) listenWithLimits(c server.Config, l mysql.ListenerConfig, events server.ServerEventListener) (server.ProtocolListener, error) {
	l.AuthServer = limitedAuthServer{l.AuthServer, s}
	return server.MySQLProtocolListenerFactory(c, l, events)
}

// A limitedAuthServer checks the limits of the database after the engine has checked the password.
type limitedAuthServer struct {
	mysql.AuthServer
	server *mysqlServer
}

// AuthMethods returns the engine's methods, each with a check of the limits.
func (l limitedAuthServer) AuthMethods() []mysql.AuthMethod {
	var methods []mysql.AuthMethod
	for _, method := range l.AuthServer.AuthMethods() {
		methods = append(methods, limitedAuthMethod{method, l.server})
	}
	return methods
}

type limitedAuthMethod struct {
	mysql.AuthMethod
	server *mysqlServer
}

// HandleUser also accepts unknown users, so that they get the same error as a wrong password.
func (l limitedAuthMethod) HandleUser(c *mysql.Conn, user string) bool {
	return l.AuthMethod.HandleUser(c, user) || l.Name() == mysql_db.DefaultAuthMethod
}

// HandleAuthPluginData checks the password, and then the limits.
func (l limitedAuthMethod) HandleAuthPluginData(c *mysql.Conn, user string, sent, answered []byte, from net.Addr) (mysql.Getter, error) {
	who, err := l.AuthMethod.HandleAuthPluginData(c, user, sent, answered, from)
	if err != nil {
		return nil, err
	}
	return who, l.server.checkLimits(c.ConnectionID, user, from)
}

func (s *mysqlServer) checkLimits(id uint32, user string, from net.Addr) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	database, ok := s.users[user]
	if !ok { // the user was just dropped
		return mysql.NewSQLError(mysql.ERAccessDeniedError, mysql.SSAccessDeniedError, "Access denied for user '%s'", user)
	}
	l := s.databases[database]
	if !l.allows(from) {
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

func (l limits) allows(from net.Addr) bool {
	address, err := netip.ParseAddrPort(from.String())
	return len(l.Firewall) == 0 || err == nil && slices.ContainsFunc(l.Firewall, func(r firewallRule) bool {
		return r.contains(address.Addr().Unmap())
	})
}

// trackConnections counts the connections of each user.
func (s *mysqlServer) trackConnections(h mysql.Handler) (mysql.Handler, error) {
	handler, ok := h.(*server.Handler)
	if !ok {
		return nil, fmt.Errorf("the engine's handler is a %T", h)
	}
	return connectionTracker{handler, s}, nil
}

type connectionTracker struct {
	*server.Handler
	server *mysqlServer
}

// NewConnection is called before the login.
func (ct connectionTracker) NewConnection(c *mysql.Conn) {
	ct.Handler.NewConnection(c)
	ct.server.mu.Lock()
	defer ct.server.mu.Unlock()
	ct.server.conns[c.ConnectionID] = &connection{Conn: c}
	if ct.server.closing {
		c.Close()
	}
}

// ConnectionClosed is called once for each connection.
func (ct connectionTracker) ConnectionClosed(c *mysql.Conn) {
	ct.server.mu.Lock()
	delete(ct.server.conns, c.ConnectionID)
	ct.server.mu.Unlock()
	ct.Handler.ConnectionClosed(c)
}
