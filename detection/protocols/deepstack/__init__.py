"""Object detection of DeepStack and CodeProject.AI, for camera programs such as Blue Iris and Frigate."""
