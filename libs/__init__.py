"""Code shared by the services. It never imports one of them."""
