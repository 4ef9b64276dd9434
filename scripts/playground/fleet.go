package main

import (
	"fmt"
	"maps"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// mount is where the engine is.
const mount = "cloudpw"

// group are servers of one cloud that are alike, numbered from 1, and the role that has them.
type group struct {
	cloud   model.Cloud
	name    string // web: web-1, web-2, ...
	count   int
	windows bool
	os      string
	tags    map[string]string
	// connection is the one that serves them; "": prod-<cloud>.
	connection string
	role       string
	fields     map[string]any // of the role
}

// fleet are the 40 servers of the playground.
func fleet() []group {
	const ubuntu = "Ubuntu Server 22.04 LTS 64bit"
	checked := map[string]any{"check_method": "command", "reset_method": "command"}
	with := func(more map[string]any) map[string]any {
		fields := maps.Clone(checked)
		maps.Copy(fields, more)
		return fields
	}
	return []group{
		{model.TencentCloud, "web", 6, false, ubuntu, map[string]string{"app": "shop", "tier": "web"}, "", "web",
			with(map[string]any{"ttl": "1h", "max_ttl": "8h", "min_reset_interval": "0"})},
		{model.TencentCloud, "cache", 2, false, ubuntu, map[string]string{"app": "shop", "tier": "cache"}, "", "cache",
			with(map[string]any{"mode": "static", "rotation_period": "2m", "min_reset_interval": "0"})},
		{model.AWS, "db", 2, false, "", map[string]string{"app": "shop", "tier": "db"}, "", "db",
			with(map[string]any{"source": "reset", "checkout": "exclusive", "ttl": "30m", "username": "root"})},
		{model.AWS, "win-app", 2, true, "", map[string]string{"app": "desk"}, "", "windows", map[string]any{"key": "demo-key"}},
		{model.AWS, "worker", 8, false, "", map[string]string{"app": "batch"}, "batch-aws", "batch",
			with(map[string]any{"source": "reset", "mode": "static"})},
		{model.Azure, "erp", 4, false, "", map[string]string{"app": "erp"}, "", "erp",
			with(map[string]any{"mode": "static", "rotation_schedule": "0 3 * * SAT", "rotation_timezone": "Europe/Berlin"})},
		{model.AlibabaCloud, "cdn", 4, false, "", map[string]string{"app": "cdn"}, "", "cdn",
			map[string]any{"mode": "static", "shared_password": true}},
		{model.HuaweiCloud, "mail", 3, false, "", map[string]string{"app": "mail"}, "", "mail",
			map[string]any{"source": "reset", "ttl": "1h"}},
		{model.HuaweiCloud, "files", 1, true, "", map[string]string{"app": "files"}, "", "files", map[string]any{"key": "demo-key"}},
		{model.OpenTelekomCloud, "sap", 2, false, "", map[string]string{"app": "sap"}, "", "sap", map[string]any{"source": "import"}},
		{model.OpenTelekomCloud, "sap-win", 1, true, "", map[string]string{"app": "sap"}, "", "sap-windows",
			map[string]any{"key": "demo-key", "clear_initial": true}},
		{model.OpenStack, "lab", 4, false, "", map[string]string{"app": "lab"}, "", "lab", map[string]any{"source": "reset", "ttl": "1h"}},
		{model.OpenStack, "lab-win", 1, true, "", map[string]string{"app": "lab"}, "", "lab-windows", map[string]any{"key": "demo-key"}},
	}
}

// names are those of the group's servers.
func (g group) names() []string {
	out := make([]string, g.count)
	for i := range out {
		out[i] = fmt.Sprintf("%s-%d", g.name, i+1)
	}
	return out
}

// place is the name of the group's connection.
func (g group) place() string {
	if g.connection != "" {
		return g.connection
	}
	return connectionOf(g.cloud)
}

// connectionOf is the name of a cloud's connection.
func connectionOf(cloud model.Cloud) string {
	short := map[model.Cloud]string{
		model.TencentCloud: "tencent", model.HuaweiCloud: "huawei", model.OpenTelekomCloud: "otc", model.AlibabaCloud: "alibaba",
	}
	if name := short[cloud]; name != "" {
		return "prod-" + name
	}
	return "prod-" + string(cloud)
}

// world is the simulated fleet.
type world struct {
	sim *cloudsim.Sim
	// private decrypts the first passwords of Windows servers.
	private string
	servers map[string]model.Server // by name
	order   []string                // their names
}

// newWorld starts the simulator with the fleet.
func newWorld() (*world, error) {
	sim, err := cloudsim.New(cloudsim.Options{})
	if err != nil {
		return nil, err
	}
	w := &world{sim: sim, servers: map[string]model.Server{}}
	if err := w.fill(); err != nil {
		sim.Close()
		return nil, err
	}
	return w, nil
}

func (w *world) fill() error {
	seeded, err := w.sim.Seed(cloudsim.SeedOptions{NoServers: true})
	if err != nil {
		return err
	}
	for _, cloud := range model.Clouds() {
		pair := model.KeyPair{Cloud: cloud, AccountID: seeded[cloud].AccountID, Name: "demo-key"}
		if w.private == "" {
			_, w.private, err = w.sim.World().CreateKeyPair(pair, 2048)
		} else {
			_, err = w.sim.World().ImportPEM(pair, w.private)
		}
		if err != nil {
			return err
		}
	}
	for i, g := range fleet() {
		account := seeded[g.cloud]
		for j, name := range g.names() {
			s := model.Server{
				Cloud: g.cloud, AccountID: account.AccountID, ProjectID: account.ProjectID, Region: account.Region, Name: name,
				Platform: model.Linux, OSName: g.os, Tags: g.tags, PrivateIP: fmt.Sprintf("10.20.%d.%d", i, j+10),
			}
			if g.windows {
				s.Platform, s.KeyName = model.Windows, "demo-key"
			}
			if s, err = w.sim.World().AddServer(s); err != nil {
				return err
			}
			w.servers[name] = s
			w.order = append(w.order, name)
		}
	}
	return nil
}

// ids are those of a group's servers, for instance_ids.
func (w *world) ids(g group) string {
	var out []string
	for _, name := range g.names() {
		out = append(out, w.servers[name].ID)
	}
	return strings.Join(out, ",")
}
