"""What is deployed fits the code: images, compose, Kubernetes, dashboards and alerts."""
