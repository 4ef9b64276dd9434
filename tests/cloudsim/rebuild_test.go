package cloudsim_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// facts are what a cloud shows of a server's disk and times.
type facts map[string]string

// changed lists what differs between two looks.
func (f facts) changed(later facts) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if f[name] != later[name] {
			out = append(out, name)
		}
	}
	return strings.Join(out, " ")
}

// What each cloud shows of a server that was made again from another image, and of one that was only restarted.
func TestCloudsShowRebuilds(t *testing.T) {
	for _, tt := range []struct {
		cloud            model.Cloud
		rebuild, restart string
		start            func(*testing.T) (sim *cloudsim.Sim, id string, look func() facts)
	}{
		{model.AWS, "image start volume", "start", awsFacts},
		{model.TencentCloud, "disk image", "", tencentFacts},
		{model.AlibabaCloud, "image start", "start", alibabaFacts},
		{model.Azure, "disk", "", azureFacts},
		{model.HuaweiCloud, "image launched", "", huaweiFacts},
	} {
		t.Run(string(tt.cloud), func(t *testing.T) {
			sim, id, look := tt.start(t)
			w := sim.World()
			before := look()
			w.Advance(time.Hour)
			if err := w.Stop(id); err != nil {
				t.Fatal(err)
			}
			w.Advance(time.Hour)
			if err := w.Start(id); err != nil {
				t.Fatal(err)
			}
			w.Advance(time.Hour)
			restarted := look()
			if got := before.changed(restarted); got != tt.restart {
				t.Errorf("a restart changes %q, want %q: %v, %v", got, tt.restart, before, restarted)
			}
			w.Advance(time.Hour)
			if err := w.Rebuild(id, model.RebuildOptions{Image: "image-2"}); err != nil {
				t.Fatal(err)
			}
			if got := restarted.changed(look()); got != tt.rebuild {
				t.Errorf("a rebuild changes %q, want %q: %v, %v", got, tt.rebuild, restarted, look())
			}
		})
	}
}

func awsFacts(t *testing.T) (*cloudsim.Sim, string, func() facts) {
	t.Helper()
	e := startAWS(t, cloudsim.Options{}, cloudsim.SeedOptions{})
	id := e.creds.Servers["linux-1"]
	return e.sim, id, func() facts {
		out, err := e.ec2().DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{InstanceIds: []string{id}})
		if err != nil {
			t.Fatal(err)
		}
		i := out.Reservations[0].Instances[0]
		return facts{"image": *i.ImageId, "start": i.LaunchTime.String(), "volume": *i.BlockDeviceMappings[0].Ebs.VolumeId}
	}
}

func tencentFacts(t *testing.T) (*cloudsim.Sim, string, func() facts) {
	t.Helper()
	e := startTencent(t, cloudsim.Options{})
	id := e.creds.Servers["linux-1"]
	return e.sim, id, func() facts {
		i := e.describe(t, id)
		return facts{"image": *i.ImageId, "disk": *i.SystemDisk.DiskId, "created": *i.CreatedTime}
	}
}

func alibabaFacts(t *testing.T) (*cloudsim.Sim, string, func() facts) {
	t.Helper()
	e := startAlibaba(t, cloudsim.Options{})
	id := e.creds.Servers["linux-1"]
	return e.sim, id, func() facts {
		var out struct {
			Instances struct {
				Instance []struct {
					ImageID      string `json:"ImageId"`
					CreationTime string
					StartTime    string
				}
			}
		}
		e.ecs(t, "DescribeInstances", "InstanceIds", `["`+id+`"]`).into(t, &out)
		i := out.Instances.Instance[0]
		return facts{"image": i.ImageID, "created": i.CreationTime, "start": i.StartTime}
	}
}

func azureFacts(t *testing.T) (*cloudsim.Sim, string, func() facts) {
	t.Helper()
	e := startAzure(t, noLimits)
	return e.sim, e.creds.Servers["linux-1"], func() facts {
		var out struct {
			Properties struct {
				TimeCreated    string
				StorageProfile struct {
					OSDisk struct{ ManagedDisk struct{ ID string } }
				}
			}
		}
		e.send(t, http.MethodGet, e.vm("linux-1"), nil).into(t, &out)
		return facts{"created": out.Properties.TimeCreated, "disk": out.Properties.StorageProfile.OSDisk.ManagedDisk.ID}
	}
}

func huaweiFacts(t *testing.T) (*cloudsim.Sim, string, func() facts) {
	t.Helper()
	e := startHuawei(t, cloudsim.Options{})
	id := e.creds.Servers["linux-1"]
	return e.sim, id, func() facts {
		var out struct {
			Server struct {
				Image    struct{ ID string }
				Created  string
				Launched string `json:"OS-SRV-USG:launched_at"`
			}
		}
		a := e.send(t, "ecs", http.MethodGet, "/v2.1/"+e.creds.ProjectID+"/servers/"+id, nil)
		a.Data = a.body
		a.into(t, &out)
		return facts{"image": out.Server.Image.ID, "created": out.Server.Created, "launched": out.Server.Launched}
	}
}
