package doctor

import "context"

// Run looks at everything in order. Where one thing does not work, what needs it is left out.
func (d *Doctor) Run(ctx context.Context) []Finding {
	d.address()
	if d.server(ctx) && d.token(ctx) {
		d.mount(ctx)
		d.permissions(ctx)
		d.state(ctx)
	}
	d.tools(ctx)
	return d.found
}
